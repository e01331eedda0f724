import type { PutVariable, Variable } from '../../shared/api/variables.ts';
import type { Clock } from '../../shared/clock.ts';
import { AppError } from '../../shared/errors.ts';
import { Labels } from '../../shared/ids.ts';
import { rfc3339 } from '../../shared/time.ts';
import type { PageOf, Paging } from '../store/access.ts';
import type { Store, StoreTables } from '../store/store.ts';
import type { VariableKeyRow, VariableRow } from '../store/variables.ts';
import { type Author, auditEntry } from './audit-entry.ts';
import type { SecretBox } from './secret-box.ts';

export interface VariablesParts {
  store: Store;
  clock: Clock;
  box: SecretBox;
}

/** Bytes of one value as JSON, and variables of one organization. */
const maxValueBytes = 65_536;
const maxVariables = 100_000;
/** What a template means by these names is not a variable. */
const reservedNames = new Set(
  'device true false nil null empty blank forloop tablerowloop __proto__'.split(' '),
);

type Scope = Variable['scope'];
type Place = { scope: Scope; key?: string | undefined; name: string };

/** Values that people set for templates. A secret one is sealed before it is stored, and never shown again. */
export class Variables {
  readonly #parts: VariablesParts;

  constructor(parts: VariablesParts) {
    this.#parts = parts;
  }

  async put(author: Author, wish: PutVariable): Promise<Variable> {
    const { store, clock } = this.#parts;
    checkValue(wish);
    return store.transaction(async (tables) => {
      const key = await keyOf(tables, author.organizationId, wish);
      if ((await tables.variables.get(key)) === undefined) await requireRoom(tables, author.organizationId);
      const now = clock.now();
      const row: VariableRow = {
        ...key,
        value: null,
        sealed: null,
        keyId: null,
        tag: null,
        ...(wish.secret ? this.#seal(wish, key) : { value: JSON.stringify(wish.value) }),
        updatedBy: author.name,
        updatedAt: now,
      };
      await tables.variables.put(row);
      const detail = { scope: wish.scope, key: wish.key ?? null, secret: wish.secret };
      await tables.audit.append([
        auditEntry(author, now, { action: 'variable.set', target: wish.name, detail }),
      ]);
      return shown(row, wish.key ?? null);
    });
  }

  /** Throws `not_found`. */
  async remove(author: Author, place: Place): Promise<void> {
    const { store, clock } = this.#parts;
    await store.transaction(async (tables) => {
      const key = await keyOf(tables, author.organizationId, place);
      if (!(await tables.variables.remove(key))) {
        throw new AppError('not_found', `There is no variable ${place.name} of ${placeText(place)}`);
      }
      const detail = { scope: place.scope, key: place.key ?? null };
      await tables.audit.append([
        auditEntry(author, clock.now(), { action: 'variable.remove', target: place.name, detail }),
      ]);
    });
  }

  async list(
    organizationId: string,
    { scope, key }: { scope?: Scope | undefined; key?: string | undefined },
    paging: Paging,
  ): Promise<PageOf<Variable>> {
    const { store } = this.#parts;
    const filter = {
      organizationId,
      ...(scope !== undefined && { scope }),
      ...(key !== undefined && {
        key: scope === 'device' ? await deviceId(store, organizationId, key) : key,
      }),
    };
    const { items, total } = await store.variables.list(filter, paging);
    const ids = items.flatMap((row) => (row.scope === 'device' ? [row.key] : []));
    const names = new Map((await store.devices.getMany(ids)).map((device) => [device.id, device.name]));
    return { total, items: items.map((row) => shown(row, shownKey(row, names))) };
  }

  #seal(wish: PutVariable, key: VariableKeyRow) {
    return this.#parts.box.seal(String(wish.value), key);
  }
}

/** Nothing of a value is ever in an error. */
function checkValue({ name, value, secret }: PutVariable): void {
  const refuse = (problem: string) =>
    new AppError('bad_request', `Variable ${name} is not valid: ${problem}`, { detail: { field: 'value' } });
  if (reservedNames.has(name)) {
    throw new AppError('bad_request', `Variable ${name} is not valid: templates mean something else by it`, {
      detail: { field: 'name' },
    });
  }
  if (Buffer.byteLength(JSON.stringify(value)) > maxValueBytes) {
    throw refuse(`its value is longer than ${maxValueBytes} bytes as JSON`);
  }
  if (!secret) return;
  if (typeof value !== 'string') throw refuse('a secret has to be text');
  if (value === '' || !value.isWellFormed() || value.includes('\0')) {
    throw refuse('a secret has to be text, not empty and without NUL');
  }
}

async function requireRoom(tables: StoreTables, organizationId: string): Promise<void> {
  if ((await tables.variables.count(organizationId)) < maxVariables) return;
  throw new AppError(
    'conflict',
    `The organization has ${maxVariables} variables, which is the most there can be`,
  );
}

async function keyOf(
  tables: Pick<StoreTables, 'devices'>,
  organizationId: string,
  { scope, key, name }: Place,
): Promise<VariableKeyRow> {
  if (scope === 'organization') {
    if (key !== undefined) throw badKey('no key: a variable of the organization holds everywhere');
    return { organizationId, scope, key: '', name };
  }
  if (key === undefined) throw badKey(scope === 'label' ? 'key=value' : 'the name of a device');
  if (scope === 'device')
    return { organizationId, scope, key: await deviceId(tables, organizationId, key), name };
  const at = key.indexOf('=');
  const labels = Labels.safeParse({ [key.slice(0, at)]: key.slice(at + 1) });
  if (at < 1 || !labels.success) throw badKey(`key=value, as a label of devices; got ${JSON.stringify(key)}`);
  return { organizationId, scope, key, name };
}

const badKey = (expected: string): AppError =>
  new AppError('bad_request', `key is not valid: expected ${expected}`, { detail: { field: 'key' } });

async function deviceId(
  tables: Pick<StoreTables, 'devices'>,
  organizationId: string,
  name: string,
): Promise<string> {
  const device = await tables.devices.byName(organizationId, name);
  if (device === undefined) throw new AppError('not_found', `There is no device ${name}`);
  return device.id;
}

const shown = (row: VariableRow, key: string | null): Variable => ({
  name: row.name,
  scope: row.scope,
  key,
  secret: row.sealed !== null,
  value: row.value === null ? null : JSON.parse(row.value),
  updated_by: row.updatedBy,
  updated_at: rfc3339(row.updatedAt),
});

const shownKey = ({ scope, key }: VariableRow, names: Map<string, string>): string | null =>
  scope === 'organization' ? null : scope === 'device' ? (names.get(key) ?? key) : key;

const placeText = ({ scope, key }: Place): string =>
  scope === 'organization' ? 'the organization' : `${scope} ${key ?? ''}`;
