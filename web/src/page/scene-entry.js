// The same, with what draws scenes of photos.

import { showPage } from "./main.js";
import { serve } from "./mesher.js";
import { showScene } from "./scene-view.js";
import { showShape } from "./shape-view.js";

if (globalThis.document) showPage(document.currentScript.src, { shape: showShape, photos: showScene });
else serve();
