// Listens in the hub's namespace and hands every connection to a unix socket that the test process serves.
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname } from 'node:path';

const [port, socketPath] = process.argv.slice(2);

createServer({ allowHalfOpen: true }, (outside) => {
  const inside = connect({ path: String(socketPath), allowHalfOpen: true });
  outside.pipe(inside).pipe(outside);
  outside.on('error', () => inside.destroy()).on('close', () => inside.destroy());
  inside.on('error', () => outside.destroy()).on('close', () => outside.destroy());
}).listen(Number(port), '::', () => process.stdout.write('ready\n'));

process.stdin.resume().on('end', () => {
  rmSync(dirname(String(socketPath)), { recursive: true, force: true }); // nobody else may be left to do it
  process.exit(0);
});
