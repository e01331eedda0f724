import { TaskError } from '../../shared/errors.ts';
import { badRelease } from '../releases/unpack.ts';
import type { Plugin } from './installed-plugins.ts';
import { type PluginContext, runPlugin } from './plugin-program.ts';

/** How long a program may take to say what it is. */
const describeMs = 20_000;

/** Not the fault of the plugin. */
const ofDevice = ['not_permitted', 'user_unknown', 'disk_full'];

/** Asks a program what it is, and holds that against its manifest. Throws `TaskError('bad_release')`. */
export async function requireDescription(plugin: Plugin, context: PluginContext): Promise<void> {
  const { name, version, task_types: taskTypes } = plugin.manifest;
  const expected = JSON.stringify({ name, version, task_types: Object.keys(taskTypes).sort() });
  const came = await described(plugin, context);
  if (came !== expected) {
    throw badRelease(`asked what it is it said ${came.slice(0, 1000)}, expected ${expected}`);
  }
}

const areNames = (types: unknown): types is string[] =>
  Array.isArray(types) && types.every((type) => typeof type === 'string');

async function described(plugin: Plugin, context: PluginContext): Promise<string> {
  const { clock, signal } = context;
  const late = new AbortController();
  const over = new AbortController();
  clock.sleep(describeMs, over.signal).then(
    () => late.abort(new TaskError('timed_out', `there was no answer within ${describeMs / 1000} s`)),
    () => undefined, // it answered
  );
  const ask = () => Promise.reject(new TaskError('bad_output', 'The program asked a person'));
  try {
    const asked = { ...context, ask, signal: AbortSignal.any([signal, late.signal]) };
    const { name, version, task_types: types } = await runPlugin(plugin, { op: 'describe' }, asked);
    return JSON.stringify({ name, version, task_types: areNames(types) ? types.toSorted() : types });
  } catch (error) {
    if (signal.aborted || !(error instanceof TaskError) || ofDevice.includes(error.code)) throw error;
    throw badRelease(`asked what it is, this came of it: ${error.message}`);
  } finally {
    over.abort(new Error('described'));
  }
}
