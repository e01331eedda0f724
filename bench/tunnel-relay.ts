/**
 * A relay of three processes without anything around it: controller, agent, operator. What lies inside the spliced connection is `mux`
 * (ours), `h2` (node:http2 over the socket) or `ws` (naive: one WebSocket per connection and hop). argv: role, style, JSON of ports.
 */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net, { type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { splice } from '../controller/tunnel/splice.ts';
import { joinSocket } from '../shared/node/mux/join-socket.ts';
import { Mux } from '../shared/node/mux/mux.ts';

const [role, style, json] = process.argv.slice(2);
const { port, listen, target } = JSON.parse(json ?? '{}') as { port: number; listen: number; target: number };
const windowBytes = 1024 * 1024;
const nothing = (): void => {};
const toTarget = (): Socket =>
  net.connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
const server = (onSocket: (socket: Socket) => void): void =>
  void net
    .createServer({ noDelay: true, allowHalfOpen: true }, (socket) => onSocket(socket.on('error', nothing)))
    .listen(listen, '127.0.0.1');

if (style === 'ws') await naive();
else if (role === 'controller') meet();
else {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  socket.write(role === 'agent' ? 'a' : 'o');
  await once(socket, 'connect');
  if (style === 'mux') overMux(socket);
  else overHttp2(socket);
}

/** The first byte says who it is; the second to come is spliced to the first. */
function meet(): void {
  let first: Socket | undefined;
  net
    .createServer({ noDelay: true }, (socket) => {
      socket.once('readable', () => {
        socket.read(1);
        if (first) splice(socket, first);
        first = socket;
      });
    })
    .listen(port, '127.0.0.1');
}

function overMux(socket: Socket): void {
  if (role === 'agent') {
    new Mux(socket, {
      side: 'device',
      onClose: nothing,
      onStream: (stream) => void joinSocket(toTarget(), stream).catch(nothing),
    });
    return;
  }
  const mux = new Mux(socket, { side: 'operator', onClose: nothing });
  server((local) => void joinSocket(local, mux.open(Buffer.from('{}'))).catch(nothing));
}

function overHttp2(socket: Socket): void {
  const settings = { initialWindowSize: windowBytes, maxConcurrentStreams: 1000, maxFrameSize: 64 * 1024 };
  if (role === 'agent') {
    const device = http2.createServer({ settings });
    device.on('session', (session) => session.setLocalWindowSize(64 * windowBytes));
    device.on('stream', (stream) => {
      stream.respond({ ':status': 200 });
      void joinSocket(toTarget(), stream).catch(nothing);
    });
    device.emit('connection', socket);
    return;
  }
  const session = http2.connect('http://device', { settings, createConnection: () => socket as Duplex });
  session.once('connect', () => {
    session.setLocalWindowSize(64 * windowBytes);
    server(
      (local) =>
        void joinSocket(local, session.request({ ':method': 'POST' }, { endStream: false })).catch(nothing),
    );
  });
}

/** As a first try looks: pause and resume as back-pressure, no credit. */
async function naive(): Promise<void> {
  if (role === 'controller') {
    const web = http.createServer().listen(port, '127.0.0.1');
    const waiting = new Map<string, WebSocket>();
    let control: WebSocket | undefined;
    new WebSocketServer({ server: web, perMessageDeflate: false }).on('connection', (ws, request) => {
      const [, kind, id = String(Math.random())] = (request.url ?? '').split('/');
      if (kind === 'agent') control = ws;
      else if (kind === 'operator') {
        ws.pause();
        waiting.set(id, ws);
        control?.send(id);
      } else {
        const other = waiting.get(id);
        if (!other) return ws.close();
        relay(ws, other);
        relay(other, ws);
        other.resume();
      }
    });
    return;
  }
  if (role === 'agent') {
    const control = new WebSocket(`ws://127.0.0.1:${port}/agent`);
    control.on('message', (id) => {
      const ws = new WebSocket(`ws://127.0.0.1:${port}/device/${String(id)}`, { perMessageDeflate: false });
      const socket = toTarget().on('error', nothing);
      ws.once('open', () => bridge(socket, ws)).on('error', nothing);
    });
    return;
  }
  server((local) => {
    local.pause();
    const ws = new WebSocket(`ws://127.0.0.1:${port}/operator/${Math.random()}`, {
      perMessageDeflate: false,
    });
    ws.once('open', () => bridge(local, ws)).on('error', nothing);
  });
}

function relay(from: WebSocket, to: WebSocket): void {
  from.on('message', (data) => {
    to.send(data as Buffer, { binary: true }, () => from.resume());
    if (to.bufferedAmount > 1024 * 1024) from.pause();
  });
  from.on('close', () => to.close()).on('error', nothing);
}

function bridge(socket: Socket, ws: WebSocket): void {
  socket.on('data', (data) => {
    ws.send(data, () => socket.resume());
    if (ws.bufferedAmount > 1024 * 1024) socket.pause();
  });
  ws.on('message', (data) => {
    if (!socket.write(data as Buffer)) ws.pause();
  });
  socket.on('drain', () => ws.resume());
  socket.on('close', () => ws.close()).on('end', () => ws.close());
  ws.on('close', () => socket.destroy());
  socket.resume();
}
