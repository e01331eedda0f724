/**
 * The least that a controller of this design must do, as a reference line: `ws` to the agents, tasks in SQLite with `synchronous=FULL`,
 * two commits a task, everything of one turn of the event loop in one transaction. No authentication, no audit, no validation.
 * argv: port, folder.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import Database from 'better-sqlite3';
import { type WebSocket, WebSocketServer } from 'ws';

const [port, folder] = process.argv.slice(2);
const db = new Database(`${folder}/floor.db`);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = FULL');
db.pragma('cache_size = -65536');
db.exec(`
  create table tasks(seq integer primary key, id text not null unique, device text not null, status text not null, type text not null,
    payload text not null, result text, created_at integer not null, updated_at integer not null, deadline integer);
  create index tasks_pending on tasks(device, created_at) where status = 'PENDING';
  create index tasks_active on tasks(deadline) where status = 'IN_PROGRESS';
  create index tasks_list on tasks(created_at desc, id);
`);
const insert = db.prepare(
  "insert into tasks(id, device, status, type, payload, created_at, updated_at) values (?, ?, 'PENDING', 'exec', ?, ?, ?)",
);
const claim = db.prepare<[number, number, string], { id: string; payload: string }>(
  `update tasks set status = 'IN_PROGRESS', deadline = ?, updated_at = ? where seq = (select seq from tasks indexed by tasks_pending
   where device = ? and status = 'PENDING' order by created_at limit 1) returning id, payload`,
);
const finish = db.prepare(
  "update tasks set status = 'COMPLETED', result = ?, deadline = null, updated_at = ? where id = ? and status = 'IN_PROGRESS'",
);
const begin = db.prepare('begin immediate');
const commit = db.prepare('commit');

interface Agent {
  socket: WebSocket;
  device: string;
  busy: boolean;
}
interface Operation {
  device: string;
  insert?: string;
  done?: { id: string; result: string };
  committed?: () => void;
}
const agents = new Map<string, Agent>();
let queue: Operation[] = [];
let flushing = false;

function push(operation: Operation): void {
  queue.push(operation);
  if (flushing) return;
  flushing = true;
  setImmediate(flush);
}

function flush(): void {
  const operations = queue;
  queue = [];
  const now = Date.now();
  const claimed: [Agent, { id: string; payload: string }][] = [];
  begin.run();
  for (const { device, insert: payload, done } of operations) {
    if (payload !== undefined) insert.run(randomUUID(), device, payload, now, now);
    if (done !== undefined) finish.run(done.result, now, done.id);
  }
  for (const device of new Set(operations.map((operation) => operation.device))) {
    const agent = agents.get(device);
    if (agent === undefined || agent.busy) continue;
    const task = claim.get(now + 60_000, now, device);
    if (task === undefined) continue;
    agent.busy = true;
    claimed.push([agent, task]);
  }
  commit.run();
  for (const { committed } of operations) committed?.();
  for (const [agent, task] of claimed)
    agent.socket.send(JSON.stringify({ type: 'task', id: task.id, payload: task.payload }));
  if (queue.length > 0) setImmediate(flush);
  else flushing = false;
}

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (socket, request) => {
  socket.on('error', () => {});
  if (request.url === '/producer') {
    socket.on('message', (data) => {
      const { n, device, payload } = JSON.parse(String(data));
      push({ device, insert: JSON.stringify(payload), committed: () => socket.send(`{"n":${n}}`) });
    });
    return;
  }
  let agent: Agent | undefined;
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    if (message.type === 'hello') {
      agent = { socket, device: message.device, busy: false };
      agents.set(agent.device, agent);
      push({ device: agent.device });
      socket.send('{"type":"welcome"}');
    } else if (agent !== undefined) {
      agent.busy = false;
      push({
        device: agent.device,
        done: { id: message.id, result: JSON.stringify(message.result) },
        committed: () => socket.send(JSON.stringify({ type: 'ack', id: message.id })),
      });
    }
  });
});
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
