// The peer of our sockets: Socket.IO on `ws`, with a Redis between the processes as its cluster mode wants it.
// Rooms, messages to a room and to everybody, as locustfiles/sockets/app.py has them.
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");

async function main() {
  const [port, url] = process.argv.slice(2);
  const pub = createClient({ url });
  const sub = pub.duplicate();
  await Promise.all([pub.connect(), sub.connect()]);
  const http = createServer();
  const io = new Server(http, { adapter: createAdapter(pub, sub), transports: ["websocket"], perMessageDeflate: false });
  io.on("connection", (socket) => {
    const { user, room } = socket.handshake.query;
    socket.join([`user.${user}`, `room.${room}`]);
    socket.emit("welcome", { user });
    socket.on("message.send", (frame) => {
      if (typeof frame !== "object" || typeof frame.body !== "string" || frame.body.length > 4000) return;
      const said = { sender: user, client_id: frame.client_id, body: frame.body };
      if (frame.client_id.startsWith("everybody")) io.emit("message.new", said);
      else io.to(`room.${room}`).emit("message.new", said);
    });
  });
  http.listen(Number(port), "127.0.0.1");
}

main();
