// Holds one network namespace of a scratch, and listens and connects in it, as JSON lines on stdin ask for. When stdin
// ends (the agent is done, or gone), it takes whatever still runs in the namespace with it.
import { readdirSync, readlinkSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

// More than two of the largest packets of any network: a way that lets only small ones through is none.
const body = Buffer.alloc(20_000, 'muster');

const answer = (id, result) => process.stdout.write(`${JSON.stringify({ id, ...result })}\n`);

const requests = {
  /** Sends back whatever comes. */
  listen({ host, port }, done) {
    createServer((socket) => socket.on('error', () => {}).pipe(socket))
      .on('error', ({ message }) => done({ ok: false, error: message }))
      .listen({ host, port, ipv6Only: host.includes(':') }, () => done({ ok: true }));
  },

  /** Good only if all comes back: rules may let a connection begin and stop what follows, or stop large packets. */
  connect({ host, port, timeoutMs }, done) {
    const started = performance.now();
    const socket = connect({ host, port, autoSelectFamily: false });
    const end = (error) => {
      clearTimeout(timer);
      socket.destroy();
      done({ ok: error === undefined, ms: Math.round(performance.now() - started), error });
    };
    let back = 0;
    const told = () => (back === 0 ? 'no answer' : `${back} of ${body.length} bytes came back`);
    const timer = setTimeout(() => end(`${told()} within ${timeoutMs} ms`), timeoutMs);
    socket.on('connect', () => socket.write(body));
    socket.on('data', (bytes) => {
      back += bytes.length;
      if (back >= body.length) end();
    });
    socket.on('error', ({ message }) => end(message));
    socket.on('close', () => end('the connection was closed'));
  },
};

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { id, request, ...details } = JSON.parse(line);
    let open = true;
    requests[request](details, (result) => {
      if (open) answer(id, result);
      open = false;
    });
  })
  .on('close', () => {
    endOthers();
    process.exit(0);
  });

function endOthers() {
  const own = readlinkSync('/proc/self/ns/net');
  for (const pid of readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && name !== String(process.pid),
  )) {
    try {
      if (readlinkSync(`/proc/${pid}/ns/net`) === own) process.kill(Number(pid), 'SIGKILL');
    } catch {
      // it ended meanwhile
    }
  }
}

answer('ready', {});
