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

// NNI gives its dispatcher ten seconds to connect, too few on a busy machine; the engine waits itself.
const wait = global.setTimeout;
global.setTimeout = Object.setPrototypeOf(
    (what, ms, ...others) => wait(what, ms === 10000 ? 100000 : ms, ...others), wait);

// It must not outlive the process that watches it, or it would keep its port for ever.
const guard = Number(process.env.TOOLKIT_NNI_GUARD);
setInterval(() => {
    if (process.ppid !== guard) {
        process.exit(1);
    }
}, 500).unref();
