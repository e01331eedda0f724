import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { joinSocket } from '../../shared/node/mux/join-socket.ts';
import { type MuxStream, StreamReset } from '../../shared/node/mux/mux-stream.ts';
import { CliError, usageError } from '../cli-error.ts';
import type { OperatorSession } from './operator-session.ts';

/** `[BIND:]PORT:HOST:HOSTPORT`, as `ssh -L` has it. */
export interface Forward {
  bind: string;
  port: number;
  host: string;
  hostPort: number;
}

const part = String.raw`(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)`;
const pattern = new RegExp(String.raw`^(?:${part}:)?(\d{1,5}):${part}:(\d{1,5})$`);

export function parseForward(text: string): Forward {
  const found = pattern.exec(text);
  const [, bind = '127.0.0.1', port = '', host = '', hostPort = ''] = found ?? [];
  const bare = (name: string): string => name.replace(/^\[(.*)\]$/, '$1');
  const forward = { bind: bare(bind), port: Number(port), host: bare(host), hostPort: Number(hostPort) };
  if (!found || forward.port > 65_535 || forward.hostPort > 65_535 || forward.hostPort === 0) {
    throw usageError(`-L ${text} is not valid: expected [BIND:]PORT:HOST:PORT, as 8443:127.0.0.1:443`);
  }
  return forward;
}

/** Listens here and brings every connection to a port that the device reaches; what the device refuses is told. */
export async function listenForward(
  session: OperatorSession,
  forward: Forward,
  onRefused: (message: string) => void,
): Promise<Server> {
  const { bind, port, host, hostPort } = forward;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    void join(session, socket, { host, port: hostPort }).catch((error: unknown) => {
      // `internal`: the target broke the connection off. Whoever uses the port sees that by itself, as with a local one.
      if (error instanceof StreamReset && error.code !== 'internal')
        onRefused(`${host}:${hostPort}: ${error.message}`);
    });
  });
  server.listen({ host: bind, port });
  try {
    await once(server, 'listening');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('failed', `cannot listen on ${bind}:${port}: ${reason}`, { code: 'listen', cause });
  }
  return server;
}

/** Joins a local connection to a port of the device; each direction ends by itself. */
async function join(
  session: OperatorSession,
  socket: Socket,
  target: { host: string; port: number },
): Promise<void> {
  let stream: MuxStream;
  try {
    stream = session.stream({ service: 'tcp', ...target });
  } catch (error) {
    socket.on('error', () => {}).resetAndDestroy();
    throw error;
  }
  await joinSocket(socket, stream);
}
