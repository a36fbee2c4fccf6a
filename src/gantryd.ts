/** The daemon's command line and signals. */
import { Command } from 'commander';
import { messageOf, StatusError } from '#base/errors.ts';
import { createLog } from '#base/log.ts';
import { type ConfigSources, DEFAULT_CONFIG_FILE, type LoadedConfig, loadConfig } from './config/load.ts';
import { Reload } from './config/reload.ts';
import { startDaemon } from './daemon.ts';
import { VERSION } from './startup/version.ts';

/** sysexits.h: the configuration is broken, so that starting again cannot help. */
const EX_CONFIG = 78;

async function main(sources: ConfigSources): Promise<void> {
	const loaded = loadOrExit(sources);
	const log = createLog(loaded.config.log.level);
	// A log reader that goes away must not end the daemon.
	process.stderr.on('error', () => {});
	process.on('unhandledRejection', (error) =>
		log.error('A failure was not handled; this is a bug', { error }),
	);
	const running = await startDaemon(loaded.config, log).catch((error: unknown) => {
		const stack = error instanceof StatusError ? undefined : error;
		log.error(`Cannot start: ${messageOf(error)}`, stack === undefined ? {} : { stack });
		process.exit(1);
	});
	const reload = new Reload(sources, loaded, log);
	process.on('SIGHUP', () => reload.run());
	const stop = async (signal: NodeJS.Signals): Promise<void> => {
		process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1));
		log.info(`Stopping on ${signal}; pods live on`);
		await running.stop();
		log.info('Stopped');
		process.exit(0);
	};
	process.once('SIGTERM', stop).once('SIGINT', stop);
}

function loadOrExit(sources: ConfigSources): LoadedConfig {
	try {
		return loadConfig(sources);
	} catch (error) {
		process.stderr.write(`gantryd: ${messageOf(error)}\n`);
		process.exit(EX_CONFIG);
	}
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

await new Command('gantryd')
	.description('The Gantry container runtime: serves the Kubernetes CRI on a Unix socket.')
	.version(VERSION)
	.option('--config <file>', `configuration file (default: ${DEFAULT_CONFIG_FILE}, if it exists)`)
	.option('--listen <address>', 'CRI socket, unix:///PATH')
	.option('--root <folder>', 'folder on disk for images and writable layers')
	.option('--state <folder>', 'folder on a tmpfs for records and sockets')
	.option('--set <key=value>', 'one option of the configuration; may be given several times', collect)
	.allowExcessArguments(false)
	.action(main)
	.parseAsync();
