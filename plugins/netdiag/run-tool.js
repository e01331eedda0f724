import { execFile } from 'node:child_process';

/** Runs a program of the device and returns how it ended, whatever its exit code. */
export function runTool(file, args) {
  const { promise, resolve, reject } = Promise.withResolvers();
  execFile(file, args, { env: { ...process.env, LC_ALL: 'C' } }, (error, stdout, stderr) => {
    if (error?.code === 'ENOENT') {
      reject(Object.assign(new Error(`This device has no ${file}`), { code: 'program_missing' }));
    } else {
      resolve({ exitCode: error ? error.code : 0, stdout, stderr });
    }
  });
  return promise;
}
