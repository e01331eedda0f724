import { CaseTag, type Context, defaultOperators, type Emitter, evalToken, Liquid } from 'liquidjs';
import { type SecretMarkers, opaque } from './secret-marker.ts';

/** Bounds of one template and one rendering. Characters, and milliseconds. */
export const templateLimits = { source: 1_200_000, output: 4_194_304, memory: 16_000_000, renderMs: 500 };

/** What reads files, and what depends on more than the template and its variables: time, place and chance. */
const refusedTags = ['include', 'render', 'layout', 'block'];
const refusedFilters = /^(date.*|sample)$/;

/** Take some of what they are given and leave the rest as it is. */
const choosing = new Set(
  'compact concat default first last map pop push raw reverse shift uniq unshift'.split(' '),
);
/** Would have to quote a value that only the device knows. */
const quoting = new Set(['json', 'jsonify', 'inspect']);

/** LiquidJS without files, clock and chance, in which secrets stay whole. `collect`: renders on after an error and throws them all. */
export function createEngine(markers: SecretMarkers, { collect }: { collect: boolean }): Liquid {
  const engine = new Liquid({
    strictVariables: true,
    strictFilters: true,
    ownPropertyOnly: true,
    catchAllErrors: collect,
    templates: {}, // never the file system
    locale: 'en',
    timezoneOffset: 0,
    parseLimit: templateLimits.source,
    renderLimit: templateLimits.renderMs,
    memoryLimit: templateLimits.memory,
    operators: guardedOperators(markers),
  });
  for (const name of refusedTags) delete engine.tags[name];
  engine.tags['case'] = guardedCase(markers);
  for (const [name, filter] of Object.entries(engine.filters)) {
    if (refusedFilters.test(name)) delete engine.filters[name];
    else if (!choosing.has(name)) engine.filters[name] = guardedFilter(name, filter, markers);
  }
  return engine;
}

type Filter = Liquid['filters'][string];
type Handler = Extract<Filter, (...args: never[]) => unknown>;

/** Every secret that goes in has to come out whole. */
function guardedFilter(name: string, filter: Filter, markers: SecretMarkers): Filter {
  const handler: Handler = typeof filter === 'function' ? filter : filter.handler;
  const guarded: Handler = function (value, ...given) {
    const held = [value, ...given].flatMap((one) => markers.heldBy(one));
    const result: unknown = handler.call(this, value, ...given);
    if (held.length === 0) return result;
    const left = markers.heldBy(result);
    const lost = quoting.has(name) ? held[0] : held.find((secret) => !left.includes(secret));
    if (lost !== undefined) throw opaque(lost);
    return result;
  };
  return typeof filter === 'function' ? guarded : { ...filter, handler: guarded };
}

const comparing = ['==', '!=', '>', '<', '>=', '<=', 'contains'] as const;

function guardedOperators(markers: SecretMarkers): typeof defaultOperators {
  const guarded = { ...defaultOperators };
  for (const name of comparing) {
    const operator = defaultOperators[name];
    if (typeof operator !== 'function') continue;
    guarded[name] = ((left: unknown, right: unknown, context: never) => {
      const [secret] = [left, right].flatMap((one) => markers.heldBy(one));
      if (secret !== undefined) throw opaque(secret);
      return (operator as (left: unknown, right: unknown, context: never) => unknown)(left, right, context);
    }) as never;
  }
  return guarded;
}

/** `case` compares without the operators. */
const guardedCase = (markers: SecretMarkers): typeof CaseTag =>
  class extends CaseTag {
    override *render(context: Context, emitter: Emitter): Generator<unknown, void, unknown> {
      const compared = [yield this.value.value(context)];
      for (const { values } of this.branches)
        for (const token of values) compared.push(yield evalToken(token, context));
      const [secret] = compared.flatMap((one) => markers.heldBy(one));
      if (secret !== undefined) throw opaque(secret);
      yield* super.render(context, emitter);
    }
  };
