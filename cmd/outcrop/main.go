// Command outcrop fine-tunes and serves language models behind the Amazon Bedrock API.
package main

import (
	"os"

	"outcrop.dev/outcrop/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
