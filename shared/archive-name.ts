/** Name of the manifest inside the tar; the files follow under `files/<absolute path>`. */
export const archiveManifestName = 'muster-manifest.json';
