export type Path = readonly PropertyKey[];
export type Values = Record<string, unknown>;

/** One place that values come from, and how it names them in an error. */
export interface Source {
  values: Values;
  nameOf: (path: Path) => string;
}

export const isValues = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
