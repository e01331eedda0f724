import { InvalidArgumentError } from 'commander';
import { type PluginTaskType, isPluginTaskType } from '../../shared/task-types/task-type.ts';

/** One of the types that are built in, or PLUGIN.TYPE of a plugin, in any case; completion offers `words`. */
export const typeName = <const Word extends string>(words: readonly Word[]) =>
  Object.assign(
    (text: string): Word | PluginTaskType => {
      const name = text.toUpperCase();
      const word = words.find((one) => one === name);
      if (word !== undefined) return word;
      if (isPluginTaskType(name)) return name;
      throw new InvalidArgumentError(`expected one of ${words.join(', ')}, or PLUGIN.TYPE of a plugin`);
    },
    { words },
  );
