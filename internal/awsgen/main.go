// Command awsgen writes the api_gen.go of an AWS service: the Go structs of its operations,
// their constraints, their routes, and an Unimplemented that answers what we do not have.
//
//	go run ./internal/awsgen bedrock          # writes service/bedrock/api_gen.go
//	go run ./internal/awsgen -dump bedrock    # prints the model as JSON, for tools/conform
//
// Operations, URIs, members, enums and errors are read from the Go sources of the AWS SDK,
// at the version that go.mod pins. What those sources lack (lengths, ranges, patterns,
// statuses other than 200) comes from the facts table {service}.txt in this folder, which
// also says which operations get shapes. See facts.go for its form.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	dump := flag.Bool("dump", false, "print the model as JSON instead of writing api_gen.go")
	flag.Parse()
	if err := run(flag.Arg(0), *dump); err != nil {
		fmt.Fprintln(os.Stderr, "awsgen:", err)
		os.Exit(1)
	}
}

// run generates one service, whose SDK package has the same name as ours.
func run(name string, dump bool) error {
	root, err := goList("-m", "-f", "{{.Dir}}")
	if err != nil {
		return err
	}
	s, err := load(root, name)
	if err != nil {
		return err
	}
	if dump {
		return s.dump(os.Stdout)
	}
	src, err := s.generate()
	if err != nil {
		return err
	}
	return os.WriteFile(target(root, name), src, 0o644)
}

// target is the file that a service's code goes to.
func target(root, name string) string {
	return filepath.Join(root, "service", name, "api_gen.go")
}

// load reads a service's model: the SDK's sources and our facts.
func load(root, name string) (*service, error) {
	const sdk = "github.com/aws/aws-sdk-go-v2/service/"
	line, err := goList("-m", "-f", "{{.Dir}} {{.Version}}", sdk+name)
	if err != nil {
		return nil, err
	}
	dir, version, _ := strings.Cut(line, " ")
	s, err := readSDK(dir)
	if err != nil {
		return nil, fmt.Errorf("read the SDK's %s %s: %w", name, version, err)
	}
	s.Name, s.Source = name, "aws-sdk-go-v2/service/"+name+" "+version
	facts, err := os.ReadFile(filepath.Join(root, "internal", "awsgen", name+".txt"))
	if err != nil {
		return nil, err
	}
	if err := s.addFacts(string(facts)); err != nil {
		return nil, fmt.Errorf("%s.txt: %w", name, err)
	}
	return s, s.prune()
}

func goList(args ...string) (string, error) {
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		return "", fmt.Errorf("go list %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
