// `import 'node:http'` reads every export of that module, and some of them load all of `fetch`: 13 MiB that an idle program keeps.
const { Agent, createServer, request } = process.getBuiltinModule('node:http');

export { Agent as HttpAgent, createServer as createHttpServer, request as httpRequest };
