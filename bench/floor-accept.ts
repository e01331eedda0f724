/** Raw `ws` that accepts a connection and answers a hello: the reference line for connections. argv: port. */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data) => {
    if (JSON.parse(String(data)).type === 'hello') socket.send('{"type":"welcome"}');
  });
});
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
