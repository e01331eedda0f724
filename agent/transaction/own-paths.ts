/** Whether a path is one of the agent's own, lies within one, or is a folder around one. */
export const isOwnPath = (path: string, ownPaths: readonly string[]): boolean =>
  ownPaths.some((own) => isWithin(path, own) || isWithin(own, path));

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
