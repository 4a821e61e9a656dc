// One script for the page of shapes and for its workers.

import { showPage } from "./main.js";
import { serve } from "./mesher.js";
import { showShape } from "./shape-view.js";

if (globalThis.document) showPage(document.currentScript.src, { shape: showShape });
else serve();
