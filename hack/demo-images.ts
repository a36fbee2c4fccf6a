/** Builds the two images of hack/demo and pushes them: node hack/demo-images.ts 127.0.0.1:PORT */
import { registryAt } from '../test/support/registry.ts';
import { busyboxLayer, fileLayer } from './images/layers.ts';

const PAGE = '<!doctype html>\n<title>Gantry</title>\n<p>Hello from a pod.</p>\n';
const SERVE = 'trap "exit 0" TERM; httpd -f -p 8080 -h /www & wait';

const [registry] = process.argv.slice(2);
if (registry === undefined) throw new Error('usage: demo-images.ts HOST:PORT');

const base = busyboxLayer();
const page = fileLayer({ 'www/index.html': PAGE, 'www/data/.keep': '' });
const images = [
	{
		name: 'demo/busybox',
		layers: [base],
		config: { Cmd: ['sh'], Env: ['PATH=/bin:/sbin:/usr/bin:/usr/sbin'] },
	},
	{
		name: 'demo/web',
		layers: [base, page],
		config: {
			Cmd: ['sh', '-c', SERVE],
			Env: ['PATH=/bin'],
			WorkingDir: '/www',
			ExposedPorts: { '8080/tcp': {} },
		},
	},
];
for (const image of images) {
	const { reference, digest, layers } = await registryAt(registry).pushImage({ ...image, tag: '1' });
	console.log(`${reference}  ${digest.slice(0, 19)}  ${layers.length} layer${layers.length > 1 ? 's' : ''}`);
}
