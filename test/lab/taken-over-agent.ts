import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { systemClock } from '../../shared/node/system-clock.ts';
import { openRequestBytes } from '../../shared/tunnel/service.ts';
import { dummyContext } from '../../agent/handlers/dummy-context.ts';
import type { SignedOrder } from '../../agent/handlers/handler.ts';
import { helperPrograms } from '../../agent/root-helper/helper-programs.ts';
import { outcome } from '../harness/session-records.ts';

/**
 * A program with the rights of the agent, which does not keep to its rules. `orders DATABASE` prints the orders of the sessions that are
 * open; `run SOCKET` shows an order (standard input, JSON) to the root helper, asks for a command, and prints what became of it.
 */
async function main([, , verb, path = '']: string[]): Promise<void> {
  if (verb === 'orders') {
    const query =
      "SELECT signed FROM tasks WHERE type = 'CONNECT' AND signed IS NOT NULL AND state = 'running'";
    const rows = new DatabaseSync(path, { readOnly: true }).prepare(query).all();
    console.log(JSON.stringify(rows.map(({ signed }) => JSON.parse(String(signed)) as SignedOrder)));
    return;
  }
  const order = JSON.parse(await text(process.stdin)) as SignedOrder;
  const helper = { path, controllerNow: () => systemClock.now() };
  const programs = helperPrograms(helper).begin(Object.assign(dummyContext(), { clock: systemClock, order }));
  try {
    const stream = await programs.open(
      openRequestBytes({ service: 'exec', argv: ['sh', '-c', 'id -un; touch /taken-over'] }),
    );
    console.log(JSON.stringify({ ran: (await outcome(stream)).stdout.trim() }));
  } catch (error) {
    console.log(JSON.stringify({ refused: (error as Error).message }));
  }
  await programs.end();
}

await main(process.argv);
process.exit(0);
