// The server behind the proxies that are compared: 1 KB answers, and a WebSocket echo, on a port and on a unix
// socket. `node upstream.js PORT SOCKET`; prints a line when both listen.
"use strict";
const crypto = require("node:crypto");
const http = require("node:http");

const BODY = Buffer.alloc(1024, "x");

function handle(request, response) {
  response.writeHead(200, { "content-type": "text/plain", "content-length": BODY.length });
  response.end(BODY);
}

// Short, whole text and binary frames only, which is what the load sends.
function echo(socket, rest) {
  let data = rest;
  const read = (chunk) => {
    data = data.length ? Buffer.concat([data, chunk]) : chunk;
    const out = [];
    let at = 0;
    while (data.length - at >= 6) {
      const length = data[at + 1] & 127;
      if (length > 125) return socket.destroy();
      if (data.length - at < 6 + length) break;
      const frame = Buffer.allocUnsafe(2 + length);
      frame[0] = data[at];
      frame[1] = length;
      for (let i = 0; i < length; i++) frame[2 + i] = data[at + 6 + i] ^ data[at + 2 + (i & 3)];
      out.push(frame);
      at += 6 + length;
    }
    data = data.subarray(at);
    if (out.length) socket.write(out.length === 1 ? out[0] : Buffer.concat(out));
  };
  socket.on("data", read);
  socket.on("error", () => socket.destroy());
  read(Buffer.alloc(0));
}

function upgrade(request, socket, head) {
  const key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const accept = crypto.createHash("sha1").update(key).digest("base64");
  socket.setNoDelay(true);
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  echo(socket, head);
}

let waiting = 2;
for (const where of [{ host: "127.0.0.1", port: Number(process.argv[2]) }, { path: process.argv[3] }]) {
  const server = http.createServer(handle);
  server.on("upgrade", upgrade);
  server.listen({ ...where, backlog: 2048 }, () => {
    waiting -= 1;
    if (waiting === 0) console.log("ready");
  });
}
