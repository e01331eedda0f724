import { connect } from './connect.ts';
import { openProgram } from './program.ts';
import type { Streams } from './streams.ts';
import { openTerminal } from './terminal.ts';

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Of the machine this process runs on. `path`: where programs are searched. */
export const createStreams = (path = defaultPath): Streams => ({
  connect,
  terminal: openTerminal(path),
  program: openProgram(path),
});
