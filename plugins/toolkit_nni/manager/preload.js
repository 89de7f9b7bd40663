// Loaded into NNI's Node manager before its own code.
'use strict';
const net = require('net');

// Its children must not inherit this file.
delete process.env.NODE_OPTIONS;

// The web page has no login, and would be open to the whole network.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, host, ...others) {
    if (typeof port === 'number' && typeof host !== 'string') {
        return host === undefined
            ? listen.call(this, port, '127.0.0.1', ...others)
            : listen.call(this, port, '127.0.0.1', host, ...others);
    }
    return host === undefined ? listen.call(this, port) : listen.call(this, port, host, ...others);
};

// Nor would it keep other users of this machine out, or web pages that a browser here shows: each
// request needs the token, and names no other host or origin than its own.
const crypto = require('crypto');
const http = require('http');
const token = process.env.TOOLKIT_NNI_TOKEN || crypto.randomBytes(24).toString('hex');
const digest = (text) => crypto.createHash('sha256').update(String(text)).digest();
const isToken = (text) => crypto.timingSafeEqual(digest(text), digest(token));

function given(request, url, cookie) {
    const kept = (request.headers.cookie || '').split(/;\s*/).find((one) => one.startsWith(`${cookie}=`));
    return [request.headers['x-toolkit-token'], url.searchParams.get('token'), kept && kept.split('=')[1]];
}

function refusal(request, url, hosts, cookie) {
    if (!hosts.includes(request.headers.host)) {
        return [403, `This server answers to ${hosts.join(' and ')} alone.`];
    }
    const origin = request.headers.origin;
    if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`)) {
        return [403, 'This server answers no page of another origin.'];
    }
    if (!given(request, url, cookie).some((one) => one && isToken(one))) {
        return [401, "Open the address that is in the file nni/address of the run folder: it has a token."];
    }
    return null;
}

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, answer, ...others) {
    if (event !== 'request' && event !== 'upgrade') {
        return emit.call(this, event, request, answer, ...others);
    }
    const port = this.address().port;
    const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
    const cookie = `toolkit_nni_${port}`;
    let url;
    try {
        url = new URL(request.url, `http://${hosts[0]}`);
    } catch (error) {
        url = new URL(`http://${hosts[0]}/`);
    }
    const refused = refusal(request, url, hosts, cookie);
    if (refused !== null && event === 'request') {
        request.resume();
        answer.writeHead(refused[0], { 'Content-Type': 'text/plain', Connection: 'close' });
        answer.end(`${refused[1]}\n`);
        return true;
    }
    if (refused !== null) {
        answer.end(`HTTP/1.1 ${refused[0]} Refused\r\nConnection: close\r\n\r\n`);
        return true;
    }
    if (event === 'request' && request.method === 'GET' && url.searchParams.has('token')) {
        // The browser keeps it, so that it stays in no history and in no other page's referrer.
        url.searchParams.delete('token');
        answer.writeHead(302, {
            'Set-Cookie': `${cookie}=${token}; HttpOnly; SameSite=Strict; Path=/`,
            Location: `${url.pathname}${url.search}`,
            'Referrer-Policy': 'no-referrer',
        });
        answer.end();
        return true;
    }
    return emit.call(this, event, request, answer, ...others);
};

// NNI gives its dispatcher ten seconds to connect, too few on a busy machine; the engine waits itself.
const wait = global.setTimeout;
global.setTimeout = Object.setPrototypeOf(
    (what, ms, ...others) => wait(what, ms === 10000 ? 100000 : ms, ...others), wait);

// For a line of versions in its log it would start a Python that imports all of NNI: seconds. Its
// dispatcher imports less, see `dispatcher.py`.
const children = require('child_process');
const spawn = children.spawn;
const modules = (args) => {
    if (!Array.isArray(args)) {
        return args;
    }
    if (args.includes('nni.tools.nni_manager_scripts.collect_version_info')) {
        return ['-S', '-c', 'print("{}")'];
    }
    return args[0] === '-m' && args[1] === 'nni'
        ? ['-P', '-m', 'toolkit_nni.manager.dispatcher', ...args.slice(2)]
        : args;
};
children.spawn = (command, args, ...others) => spawn.call(children, command, modules(args), ...others);

// It must not outlive the process that watches it, or it would keep its port for ever.
const guard = Number(process.env.TOOLKIT_NNI_GUARD);
setInterval(() => {
    if (process.ppid !== guard) {
        process.exit(1);
    }
}, 500).unref();
