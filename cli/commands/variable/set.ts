import type { Command } from '@commander-js/extra-typings';
import type { z } from 'zod';
import type { PutVariable } from '../../../shared/api/variables.ts';
import { label } from '../../arguments/argument-parsers.ts';
import { usageError } from '../../cli-error.ts';
import type { Open } from '../../environment.ts';
import { askSecret } from '../../prompt.ts';
import type { Terminal } from '../../terminal.ts';
import { variableView } from '../../views/variable.ts';
import { standardInput } from './standard-input.ts';
import { scopeOf } from './scope.ts';

const examples = `
A device's value goes before that of its label, that before the organization's.

Examples:
  muster variable set dns_server 10.0.0.53
  muster variable set lan --device fw-1 --json-value '{"address": "10.1.0.1", "prefix": 24}'
  pass show vpn/psk | muster variable set vpn_psk --label site=branch --secret --value-stdin`;

export function addVariableSet(group: Command, open: Open): void {
  setCommand(group)
    .addHelpText('after', examples)
    .action(async (name, text, options) => {
      const scope = scopeOf(options);
      checkWays(text, options);
      const environment = await open();
      const value = await valueOf(name, { text, options, terminal: environment.terminal });
      const variable = await environment.client.variables.set({
        name,
        ...scope,
        value,
        secret: options.secret === true,
      });
      environment.output.one(variable, variableView);
    });
}

const setCommand = (group: Command) =>
  group
    .command('set')
    .description('Set a variable for the organization, for the devices of a label, or for one device')
    .argument('<name>', 'letters, digits and _')
    .argument('[value]', 'its value, as text')
    .option('--label <key=value>', 'for the devices that carry the label', label)
    .option('--device <name>', 'for this device')
    .option('--json-value <json>', 'number, true, false, list or mapping, as JSON')
    .option('--value-stdin', 'read the value from standard input')
    .option('--secret', 'store it encrypted and never show it again; only by --value-stdin, or asked for');

type SetOptions = ReturnType<ReturnType<typeof setCommand>['opts']>;

function checkWays(text: string | undefined, { jsonValue, valueStdin, secret }: SetOptions): void {
  if (secret && (text !== undefined || jsonValue !== undefined)) {
    throw usageError(
      'a secret on the command line can be read by everybody on this machine',
      'Give it on standard input: --secret --value-stdin',
    );
  }
  const ways = [text, jsonValue, valueStdin].filter((way) => way !== undefined).length;
  if (ways > 1) throw usageError('give one of VALUE, --json-value and --value-stdin');
  if (ways === 0 && !secret) throw usageError('no value: give VALUE, --json-value or --value-stdin');
}

type Value = z.output<typeof PutVariable>['value'];

async function valueOf(
  name: string,
  { text, options, terminal }: { text: string | undefined; options: SetOptions; terminal: Terminal },
): Promise<Value> {
  if (text !== undefined) return text;
  if (options.jsonValue !== undefined) return jsonOf(options.jsonValue);
  if (options.valueStdin) return await standardInput(terminal.stdin);
  const typed = await askSecret(terminal, `Value of ${name}`);
  if (typed === undefined) throw usageError('no value: give it on standard input with --value-stdin');
  return typed;
}

function jsonOf(text: string): Value {
  try {
    return JSON.parse(text) as Value;
  } catch (error) {
    throw usageError(`--json-value is not JSON: ${(error as Error).message}`);
  }
}
