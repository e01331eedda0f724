import { TransactionUnderTest, apply, armed, confirmedState, crashFiles } from './linux-transaction.ts';

/** A whole transaction in a process of its own, to be killed anywhere: `node transaction-driver.ts FOLDER`. */
const path = process.argv[2];
if (path === undefined) throw new Error('expected a folder');
const device = new TransactionUnderTest({ path, [Symbol.dispose]: () => {} });
const files = crashFiles(device);
const workspace = await armed(device, { files, commands: [{ argv: ['/bin/true'], timeoutSeconds: 5 }] });
await apply(workspace, files);
process.stdout.write(`${await workspace.confirm(confirmedState('first'))}\n`);
