type Given<Options> = { [Key in keyof Options]?: Exclude<Options[Key], undefined> };

/** Only the options that were given. */
export const given = <Options extends object>(options: Options): Given<Options> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Given<Options>;
