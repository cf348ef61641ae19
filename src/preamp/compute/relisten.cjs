// Loaded by Node before a release's server (`node --require`): what listens on the port that Amplify prescribes
// gets the unix socket that the compute host has made, so that any number of servers may insist on one port.
//
// PREAMP_LISTEN_FD: the listening socket. PREAMP_CONTROL_FD: one end of a stream; "listening\n" goes out when the
// server listens, and its end means "stop": accept nothing more, finish what is under way, exit.
"use strict";

const listenFd = Number(process.env.PREAMP_LISTEN_FD);
const controlFd = Number(process.env.PREAMP_CONTROL_FD);
delete process.env.PREAMP_LISTEN_FD; // neither the server nor what it starts has any business with them
delete process.env.PREAMP_CONTROL_FD;

if (Number.isInteger(listenFd) && listenFd > 2 && require("node:worker_threads").isMainThread) relisten();

function relisten() {
  const net = require("node:net");
  const PORT = 3000;
  const original = net.Server.prototype.listen;
  const control = new net.Socket({ fd: controlFd, readable: true, writable: true });
  let taken = null;

  control.unref(); // a server that has nothing more to do may end
  control.on("error", () => {});
  control.on("end", stop);
  control.resume();

  net.Server.prototype.listen = function listen(...args) {
    if (taken !== null || !isOurPort(portOf(args))) return original.apply(this, args);
    taken = this;
    disguise(this);
    this.once("listening", () => control.write("listening\n"));
    const callback = args.findLast((argument) => typeof argument === "function");
    return original.call(this, { fd: listenFd }, ...(callback ? [callback] : []));
  };

  // The forms: (port[, host][, backlog][, callback]), ({port, ...}[, callback]); everything else is not a port:
  // (path), ({path}), (handle), ({fd}), (callback).
  function portOf(args) {
    const first = args[0];
    if (typeof first === "number") return first;
    if (typeof first === "string") return /^\d+$/.test(first) ? Number(first) : null;
    if (first === null || typeof first !== "object") return null;
    // as Node decides: a handle or a descriptor before the port, the port before a path
    if (first._handle || first.handle || (typeof first.fd === "number" && first.fd >= 0)) return null;
    return typeof first.port === "number" || typeof first.port === "string" ? Number(first.port) : null;
  }

  function isOurPort(port) {
    return port !== null && (port === PORT || port === Number(process.env.PORT));
  }

  // The server believes that it listens on the port, and its visitors come from this machine.
  function disguise(server) {
    const address = { address: "127.0.0.1", family: "IPv4", port: Number(process.env.PORT) || PORT };
    server.address = function () {
      return this.listening ? { ...address } : null;
    };
    server.prependListener("connection", (socket) => {
      const facts = { remoteAddress: "127.0.0.1", remoteFamily: "IPv4", remotePort: 0 };
      facts.localAddress = address.address;
      facts.localPort = address.port;
      for (const [name, value] of Object.entries(facts)) {
        Object.defineProperty(socket, name, { value, configurable: true, enumerable: true, writable: true });
      }
    });
  }

  function stop() {
    if (process.listenerCount("SIGTERM") > 0) {
      process.kill(process.pid, "SIGTERM"); // the application knows best how it ends
      return;
    }
    if (taken === null || !taken.listening) process.exit(0);
    taken.close(() => process.exit(0));
    if (typeof taken.closeIdleConnections === "function") taken.closeIdleConnections();
  }
}
