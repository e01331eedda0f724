import { chmodSync, rmSync } from 'node:fs';
import { type WebSocket, WebSocketServer } from 'ws';
import { TaskError } from '../../shared/errors.ts';
import { createHttpServer } from '../../shared/node/http.ts';
import { openChannel } from './channel.ts';
import { type HelperParts, HelperTask, type RunningTasks } from './helper-task.ts';
import { type HelperAnswer, HelperRequest, maxMessageBytes } from './messages.ts';

/** One more is refused. An agent's lanes hold fewer unless its configuration opens very many; every session has a connection. */
const maxConnections = 320;

/** Where to listen: a path, or the socket that systemd opened and gave to this process. */
export type HelperAddress = { path: string } | { fd: number };

/** Serves the agent until `signal` is aborted: then tasks are told to stop, and it settles when they have. */
export async function serveHelper(
  parts: HelperParts,
  address: HelperAddress,
  signal: AbortSignal,
): Promise<void> {
  const server = createHttpServer((_request, response) => void response.writeHead(426).end());
  const wss = new WebSocketServer({ server, maxPayload: maxMessageBytes, perMessageDeflate: false });
  const connections = new Set<Promise<void>>();
  const running: RunningTasks = new Map();
  wss.on('connection', (ws) => {
    if (connections.size >= maxConnections) {
      ws.close(1013, `the root helper already serves ${maxConnections} connections`);
      return;
    }
    const served = serveOne(parts, { ws, running }, signal).finally(() => connections.delete(served));
    connections.add(served);
  });
  await listening(server, address);
  await aborted(signal);
  server.close();
  await Promise.all(connections);
  for (const ws of wss.clients) ws.terminate();
}

/** One connection: one description, or one task. Settles when both the connection and the task are over. */
async function serveOne(
  parts: HelperParts,
  { ws, running }: { ws: WebSocket; running: RunningTasks },
  signal: AbortSignal,
): Promise<void> {
  const over = Promise.withResolvers<void>();
  let task: HelperTask | undefined;
  let ended: Promise<void> = Promise.resolve();
  const leave = (why: string): void => task?.stop(new TaskError('agent_stopping', why));
  const leaveAtEnd = (): void => leave('The root helper stops');
  const channel = openChannel<HelperAnswer, typeof HelperRequest>(ws, HelperRequest, {
    message: (request) => {
      if (request.type === 'describe') channel.send(described(parts));
      else if (request.type === 'device_key') channel.send(taken(parts, request.key));
      else if (request.type === 'stop') task?.stop(new TaskError(request.code, request.message));
      else if (request.type !== 'run') task?.returned(request);
      else if (!task) {
        const started = new HelperTask(parts, channel, running);
        task = started;
        ended = started.run(request).then((outcome) => {
          if (started.isLeft) ws.terminate();
          else channel.send({ type: 'end', outcome });
        });
      }
    },
    closed: () => {
      leave('The agent went away');
      over.resolve();
    },
  });
  signal.addEventListener('abort', leaveAtEnd, { once: true });
  await Promise.race([over.promise, aborted(signal)]);
  await ended;
  signal.removeEventListener('abort', leaveAtEnd);
}

const described = ({ handlers, facts }: HelperParts): HelperAnswer => ({
  type: 'described',
  taskTypes: Object.keys(handlers),
  facts,
});

const taken = (parts: HelperParts, key: string): HelperAnswer => ({
  type: 'taken',
  fingerprint: parts.takeDeviceKey(key),
});

function listening(server: ReturnType<typeof createHttpServer>, address: HelperAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  if ('path' in address) rmSync(address.path, { force: true }); // of a process that was killed; the lock has been taken
  server.listen(address, () => {
    if ('path' in address) chmodSync(address.path, 0o600);
    resolve();
  });
  return promise;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
