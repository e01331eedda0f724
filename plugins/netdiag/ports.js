import { connect } from 'node:net';

/** At a time. */
const together = 8;
const states = { ECONNREFUSED: 'closed', ETIMEDOUT: 'silent' };

/** Which TCP ports of a host can be reached. */
export async function ports({ host, ports: wanted, wait_ms: waitMs }, { log, progress }) {
  const found = [];
  for (let from = 0; from < wanted.length; from += together) {
    progress(Math.round((100 * from) / wanted.length), `${from} of ${wanted.length} ports`);
    const some = wanted.slice(from, from + together).map((port) => tryPort({ host, port }, waitMs));
    found.push(...(await Promise.all(some)));
  }
  for (const { port, state } of found) log(`${port} ${state}`);
  return { host, ports: found };
}

function tryPort({ host, port }, waitMs) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const startedAt = performance.now();
  const socket = connect({ host, port, timeout: waitMs });
  const end = (state, connectMs = null) => {
    socket.destroy();
    resolve({ port, state, connect_ms: connectMs });
  };
  socket.once('connect', () => end('open', Math.round(performance.now() - startedAt)));
  socket.once('timeout', () => end('silent'));
  socket.once('error', (error) => {
    if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') {
      reject(Object.assign(new Error(`${host} has no address: ${error.message}`), { code: 'name_unknown' }));
    } else {
      end(states[error.code] ?? 'unreachable');
    }
  });
  return promise;
}
