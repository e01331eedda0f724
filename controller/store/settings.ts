/** Single values of the controller: its id, its key, the sequence of its orders. */
export interface SettingStore {
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string): Promise<void>;
  /** Raises the number under `name` by `count` (from 0) and returns the last number of the block that is now the caller's. */
  reserve(name: string, count: number): Promise<number>;
}
