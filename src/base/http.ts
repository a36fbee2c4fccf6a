/**
 * `node:http`, asked for and not imported: an import statement reads every export of the module, and behind WebSocket,
 * which is one of them, stands all of fetch: 6 MB of memory, besides what its code takes, for a daemon that never asks.
 */
export const { createServer, request, STATUS_CODES } = process.getBuiltinModule('node:http');
