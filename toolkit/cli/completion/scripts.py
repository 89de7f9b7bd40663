"""What a shell must run once so that it asks the toolkit for words."""

from __future__ import annotations

from collections.abc import Mapping

VARIABLE = "_TOOLKIT_COMPLETE"
"""Set by these scripts: the command then answers with words, one a line."""
SCRIPTS: Mapping[str, str] = {
    "bash": """\
_toolkit_complete() {
    local IFS=$'\\n'
    COMPREPLY=($(_TOOLKIT_COMPLETE=bash toolkit "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=/:] ]] && compopt -o nospace
    return 0
}
complete -F _toolkit_complete toolkit
""",
    "zsh": """\
#compdef toolkit
_toolkit_complete() {
    local -a whole open
    local word
    for word in "${(@f)$(_TOOLKIT_COMPLETE=zsh toolkit "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -z $word ]] || { [[ $word == *[=/:] ]] && open+=("$word") || whole+=("$word") }
    done
    compadd -a whole
    compadd -S '' -a open
}
compdef _toolkit_complete toolkit
""",
    "fish": """\
function __toolkit_complete
    set -lx _TOOLKIT_COMPLETE fish
    set -l before (commandline -opc)
    toolkit $before[2..-1] (commandline -ct) 2>/dev/null
end
complete -c toolkit -f -a '(__toolkit_complete)'
""",
}
"""Script by shell."""
