/**
 * Listens as told by its arguments, `ADDRESS PORT HABIT` each, and writes what becomes of each connection to stdout,
 * a line of JSON each. Run in the network namespace of a pod.
 */
import { createServer, type Socket } from 'node:net';

const tell = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

function count(socket: Socket): void {
	let bytes = 0;
	socket.on('data', (chunk) => {
		bytes += chunk.length;
	});
	socket.on('end', () => tell({ event: 'ended', port: socket.localPort, bytes }));
}

const HABITS: Readonly<Record<string, (socket: Socket) => void>> = {
	/** Says what it hears, and ends when the other side does. */
	echo: (socket) => void socket.pipe(socket),
	/** Says a word and ends its side; hears on. */
	greet: (socket) => {
		count(socket);
		socket.end('hello');
	},
	/** Hears all, answers how much it was, and only then ends. */
	count: (socket) => {
		let bytes = 0;
		socket.on('data', (chunk) => {
			bytes += chunk.length;
		});
		socket.on('end', () => socket.end(String(bytes)));
	},
	/** Never reads. */
	deaf: (socket) => void socket.pause(),
	/** Says very much. */
	talk: (socket) => {
		const chunk = Buffer.alloc(65536, 'x');
		let left = 1024;
		const more = () => {
			let hasRoom = true;
			for (; left > 0 && hasRoom; left -= 1) hasRoom = socket.write(chunk);
			if (left === 0) socket.end();
		};
		socket.on('drain', more);
		more();
	},
	/** Breaks off at the first word. */
	reset: (socket) => void socket.once('data', () => socket.resetAndDestroy()),
	silent: count,
};

const asked = process.argv.slice(2);
for (let at = 0; at < asked.length; at += 3) {
	const [address = '', port = '', habit = ''] = asked.slice(at, at + 3);
	const server = createServer({ allowHalfOpen: true }, (socket) => {
		socket.on('error', (error: NodeJS.ErrnoException) =>
			tell({ event: 'error', port: Number(port), code: error.code }),
		);
		HABITS[habit]?.(socket);
	});
	server.listen({ host: address, port: Number(port), backlog: 511, ipv6Only: true }, () =>
		tell({ event: 'listening', port: Number(port) }),
	);
}
