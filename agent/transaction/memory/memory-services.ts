import type { DeviceProfile, Unit } from '../../../shared/device-profile.ts';
import { matchesGlob } from '../../../shared/glob.ts';
import type { MemoryFiles } from './memory-files.ts';

/** Words in a file that make the service of its unit behave in a way that some step has to find. */
export const misbehaviours = {
  /** The validator refuses it. */
  invalid: 'INVALID',
  /** A new connection from the scratch namespace fails. */
  locksOutVisibly: 'LOCKS-OUT-VISIBLY',
  /** A start from nothing fails; a reload does not notice. */
  breaksAtStart: 'BREAKS-AT-START',
  /** The reload fails, and half of it is in force. */
  reloadFails: 'RELOAD-FAILS',
  /** The reload succeeds and the service does not work. */
  breaks: 'BREAKS',
  /** Established connections live on, new ones to the controller fail; nothing shows it beforehand. */
  locksOut: 'LOCKS-OUT-NEW',
} as const;
export type Misbehaviour = keyof typeof misbehaviours;

type Texts = readonly (readonly [string, string])[];

/** The services of a machine in memory: each works with the files it read last. */
export class MemoryServices {
  readonly files: MemoryFiles;
  /** Told whenever a service has read its files. */
  changed: () => void = () => {};
  readonly #profile: DeviceProfile;
  /** What each unit's service read last. */
  readonly #loaded = new Map<string, string>();
  constructor(profile: DeviceProfile, files: MemoryFiles) {
    this.#profile = profile;
    this.files = files;
  }

  /** At boot: every service reads what is on the disk. */
  start(): void {
    for (const { name } of this.#profile.units) this.#loaded.set(name, this.filesOf(name));
    this.changed();
  }

  reload(unit: string): void {
    this.#loaded.set(unit, this.filesOf(unit));
    this.changed();
  }

  /** New connections to the controller fail. */
  get lockedOut(): boolean {
    return [...this.#loaded.values()].some((text) => text.includes(misbehaviours.locksOut));
  }

  misbehaves(unit: string, how: Misbehaviour): boolean {
    return (this.#loaded.get(unit) ?? '').includes(misbehaviours[how]);
  }

  /** Whether the service runs with what its files say. */
  isCurrent(unit: string): boolean {
    return this.#loaded.get(unit) === this.filesOf(unit);
  }

  running(unit: string): string {
    return this.#loaded.get(unit) ?? '';
  }

  /** All text of a unit's files, in the given view or as they are. */
  filesOf(unit: string, view: Texts = this.files.texts()): string {
    const globs = this.#unit(unit)?.paths.map(({ glob }) => glob) ?? [];
    return view
      .filter(([path]) => globs.some((glob) => matchesGlob(glob, path)))
      .map(([path, text]) => `${path}\n${text}\n`)
      .join('');
  }

  #unit(name: string): Unit | undefined {
    return this.#profile.units.find((unit) => unit.name === name);
  }
}
