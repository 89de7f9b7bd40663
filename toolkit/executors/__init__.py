"""Where jobs run: processes on this machine, or what a plugin offers.

An executor of your own (`toolkit.contracts.Executor`) may build on all of this:

- `channel.Channel`: typed messages as lines of JSON, over pipes or a socket
- `messages`: what an executor says to a worker (`toolkit.worker.main`), and how to read its answers
- `slots`: which jobs fit on a machine
- `keeper`: the parent of a local worker, which ends all that the worker starts
- `processes`: what a worker process needs to find, and how it ends
- `local.LocalExecutor`: the worker processes of this machine; executors that put something beside
  them use its `watch`, `unwatch` and `ready`
- `remote.RemoteSlot`: the worker of one slot on another machine, with orders and parcels
- `storage`: a trial's files on their way to another machine and back
- `inline.InlineExecutor`: jobs in this process, real or scripted, for tests
"""
