import type { Liquid, Template } from 'liquidjs';
import type { Random } from '../../shared/clock.ts';
import type { Labels } from '../../shared/ids.ts';
import type { StoredText } from '../store/texts.ts';
import { createEngine, templateLimits } from './template-engine.ts';
import { SecretMarkers } from './secret-marker.ts';

/** What a template sees. */
export interface RenderScope {
  device: { name: string; labels: Labels; facts: Record<string, unknown> };
  /** Values by name. */
  variables: ReadonlyMap<string, unknown>;
  /** Names of secret variables; their values are never seen here. */
  secrets: ReadonlySet<string>;
}

export interface RenderedText {
  text: string;
  /** Whose markers are in the text. */
  secrets: string[];
}

/** A template that cannot be rendered for a device, and why. */
export class RenderError extends Error {
  /** All of them that the template uses. */
  readonly undefinedVariables: string[];

  constructor(message: string, undefinedVariables: string[] = []) {
    super(message);
    this.name = 'RenderError';
    this.undefinedVariables = undefinedVariables;
  }
}

/** Characters of template source that are kept compiled. */
const maxCompiled = 32_000_000;

/** Renders templates: the same template and scope give the same text, always. Nothing of one rendering is seen by another. */
export class TemplateRenderer {
  readonly #random: Random;
  #made: { markers: SecretMarkers; engine: Liquid; collecting: Liquid } | undefined;
  readonly #compiled = new Map<string, { templates: Template[]; size: number }>();
  #compiledSize = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Throws `RenderError` when it is no template. */
  check(text: string): void {
    this.#parse(text);
  }

  /** Throws `RenderError`. */
  render(template: StoredText, scope: RenderScope): RenderedText {
    const text = this.#run(this.#templatesOf(template), scope);
    if (text.length > templateLimits.output) {
      throw new RenderError(
        `it renders to ${text.length} characters, expected at most ${templateLimits.output}`,
      );
    }
    if (!text.isWellFormed() || text.includes('\0')) {
      throw new RenderError('it renders to what is not text: half a character, or NUL');
    }
    const published = this.#engines.markers.publish(text);
    if (published === undefined) {
      throw new RenderError(
        'the text holds a damaged marker of a secret, or one that no variable made: secrets come from secret variables only, unchanged',
      );
    }
    return published;
  }

  /** Made when the first template comes. */
  get #engines() {
    if (this.#made) return this.#made;
    const markers = new SecretMarkers(this.#random);
    const [engine, collecting] = [false, true].map((collect) => createEngine(markers, { collect })) as [
      Liquid,
      Liquid,
    ];
    this.#made = { markers, engine, collecting };
    return this.#made;
  }

  #run(templates: Template[], scope: RenderScope): string {
    try {
      return String(this.#engines.engine.renderSync(templates, this.#context(scope)));
    } catch (error) {
      if (!isUndefined(error)) throw new RenderError(tell(error));
      const undefinedVariables = this.#undefinedVariables(templates, scope, error);
      throw new RenderError(`undefined: ${undefinedVariables.join(', ')}`, undefinedVariables);
    }
  }

  #undefinedVariables(templates: Template[], scope: RenderScope, first: unknown): string[] {
    try {
      this.#engines.collecting.renderSync(templates, this.#context(scope));
    } catch (error) {
      const errors: unknown[] =
        error instanceof Error && 'errors' in error && Array.isArray(error.errors) ? error.errors : [];
      return [...new Set([first, ...errors].flatMap(undefinedName))].sort();
    }
    return undefinedName(first);
  }

  /** Fresh for each rendering: `increment` and its like write into it. */
  #context({ device, variables, secrets }: RenderScope): object {
    const context: Record<string, unknown> = Object.create(null);
    for (const [name, value] of variables) context[name] = value;
    for (const name of secrets) context[name] = this.#engines.markers.of(name);
    context['device'] = device;
    return context;
  }

  #templatesOf({ sha256, text }: StoredText): Template[] {
    const known = this.#compiled.get(sha256);
    if (known) return known.templates;
    const templates = this.#parse(text);
    this.#compiled.set(sha256, { templates, size: text.length });
    this.#compiledSize += text.length;
    for (const [oldest, { size }] of this.#compiled) {
      if (this.#compiledSize <= maxCompiled || oldest === sha256) break;
      this.#compiled.delete(oldest);
      this.#compiledSize -= size;
    }
    return templates;
  }

  #parse(text: string): Template[] {
    if (!text.isWellFormed() || text.includes('\0')) {
      throw new RenderError('it is not text: it holds half a character, or NUL');
    }
    try {
      return this.#engines.engine.parse(text);
    } catch (error) {
      throw new RenderError(tell(error));
    }
  }
}

const isUndefined = (error: unknown): boolean => undefinedName(error).length > 0;

function undefinedName(error: unknown): string[] {
  const cause: unknown = error instanceof Error && 'originalError' in error ? error.originalError : error;
  const named = cause instanceof Error && 'variableName' in cause ? cause.variableName : undefined;
  return typeof named === 'string' ? [named] : [];
}

/** In one line, with where it is. The library adds the source around it, which is too much for an answer. */
function tell(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').slice(0, 300);
}
