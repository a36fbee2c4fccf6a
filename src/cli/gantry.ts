/** The `gantry` command. Started by hack/gantry with the pinned Node. */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';

// Beside the modules, not in /tmp: the command leaves nothing behind on the machine.
enableCompileCache(fileURLToPath(new URL('../../node_modules/.cache/gantry', import.meta.url)));
const { runCli } = await import('./program.ts');
const { processIo } = await import('./io.ts');

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupt.abort());
// `gantry logs | head` closes our output early: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
process.exitCode = await runCli(process.argv.slice(2), { io: processIo(), signal: interrupt.signal });
