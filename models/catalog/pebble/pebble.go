// Package pebble is the files of Pebble, the small model that this project trains itself and
// that comes with the program, in Hugging Face layout. It knows nothing of their content.
//
// tools/pebbletok wrote the tokenizer's files; `outcrop pretrain` writes config.json and
// model.safetensors.
package pebble

import (
	"embed"
	"io/fs"
)

//go:embed *.json *.md model.safetensors
var files embed.FS

// Files returns the content of each file by its name.
func Files() map[string][]byte {
	names, err := fs.Glob(files, "*")
	if err != nil {
		panic("pebble: " + err.Error()) // the pattern is constant
	}
	content := make(map[string][]byte, len(names))
	for _, name := range names {
		b, err := files.ReadFile(name)
		if err != nil {
			panic("pebble: " + err.Error()) // it was just listed
		}
		content[name] = b
	}
	return content
}
