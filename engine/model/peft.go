package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/durable"
)

// The files of an adapter, as Hugging Face's PEFT 0.21 writes and reads them.
const (
	AdapterConfigFile  = "adapter_config.json"
	AdapterWeightsFile = "adapter_model.safetensors"

	// PEFT puts its own module around the model, and that around the adapted layers.
	peftPrefix = "base_model.model."
	suffixA    = ".lora_A.weight"
	suffixB    = ".lora_B.weight"
)

// adapterConfig is what is written to adapter_config.json, and what is read beside the
// members that adapterUnsupported lists.
type adapterConfig struct {
	PEFTType      string          `json:"peft_type"`
	TaskType      string          `json:"task_type"`
	Base          *string         `json:"base_model_name_or_path"`
	Rank          int             `json:"r"`
	Alpha         float64         `json:"lora_alpha"`
	Dropout       float64         `json:"lora_dropout"`
	Targets       json.RawMessage `json:"target_modules"`
	RSLoRA        bool            `json:"use_rslora"`
	DoRA          bool            `json:"use_dora"`
	Bias          string          `json:"bias"`
	FanInFanOut   bool            `json:"fan_in_fan_out"`
	Init          json.RawMessage `json:"init_lora_weights"`
	InferenceMode bool            `json:"inference_mode"`
	ModulesToSave []string        `json:"modules_to_save"`
}

// adapterUnsupported are the members of adapter_config.json that ask for more than a product
// of two matrices of one rank beside a linear layer, unless they are null, false or empty.
var adapterUnsupported = []string{
	"alora_invocation_tokens", "alpha_pattern", "arrow_config", "kasa_config", "layer_replication", "lora_bias",
	"megatron_config", "modules_to_save", "monteclora_config", "rank_pattern", "target_parameters",
	"trainable_token_indices", "use_bdlora", "use_dora", "use_qalora", "velora_config",
}

// promises is what adapter_config.json says: the options, but for Targets, which the weights
// show, and of each module whether it is adapted, or nil where only the weights can tell.
type promises struct {
	lora    LoRA
	targets func(module string) bool
}

// readAdapterConfig reads adapter_config.json of dir.
func readAdapterConfig(dir string) (promises, error) {
	path := filepath.Join(dir, AdapterConfigFile)
	f, err := os.Open(path)
	if err != nil {
		return promises{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, configBytesMax+1))
	if err != nil {
		return promises{}, fmt.Errorf("read %s: %w", path, err)
	}
	p, err := parseAdapterConfig(b)
	if err != nil {
		return promises{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func parseAdapterConfig(b []byte) (promises, error) {
	if len(b) > configBytesMax {
		return promises{}, fmt.Errorf("longer than %d bytes", configBytesMax)
	}
	var members map[string]json.RawMessage
	c := adapterConfig{Bias: "none", Rank: 8, Alpha: 8} // PEFT's own defaults
	if err := json.Unmarshal(b, &members); err != nil {
		return promises{}, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return promises{}, err
	}
	if err := c.supported(members); err != nil {
		return promises{}, err
	}
	p := promises{lora: LoRA{Rank: c.Rank, Alpha: c.Alpha, Dropout: c.Dropout, RSLoRA: c.RSLoRA, Base: or(c.Base, "")}}
	if err := p.lora.checkNumbers(); err != nil {
		return promises{}, err
	}
	if !says(members["layers_to_transform"]) && !says(members["exclude_modules"]) {
		var err error
		if p.targets, err = parseTargets(c.Targets); err != nil {
			return promises{}, err
		}
	}
	return p, nil
}

// says tells whether a member of adapter_config.json is there and not null, false or empty.
func says(v json.RawMessage) bool {
	return !slices.Contains([]string{"", "null", "false", "{}", "[]"}, string(bytes.TrimSpace(v)))
}

// parseTargets reads target_modules: a list of modules or of ends of their paths, the word
// "all-linear", or a regular expression for whole paths. It returns nil for one of Python's
// that Go does not know.
func parseTargets(b json.RawMessage) (func(module string) bool, error) {
	if !says(b) {
		return nil, nil
	}
	var names []string
	if json.Unmarshal(b, &names) == nil {
		return LoRA{Targets: names}.selects, nil
	}
	var pattern string
	if json.Unmarshal(b, &pattern) != nil {
		return nil, fmt.Errorf("target_modules must be a list of names or a regular expression")
	}
	if pattern == "all-linear" {
		return LoRA{}.selects, nil
	}
	if r, err := regexp.Compile("^(?:" + pattern + ")$"); err == nil {
		return r.MatchString, nil
	}
	return nil, nil
}

// supported returns an error for what PEFT knows and this engine does not do.
func (c *adapterConfig) supported(members map[string]json.RawMessage) error {
	if c.PEFTType != "LORA" {
		return fmt.Errorf("peft_type is %q: only LORA is supported", c.PEFTType)
	}
	if c.Bias != "none" {
		return fmt.Errorf("bias is %q: only none is supported", c.Bias)
	}
	for _, name := range adapterUnsupported {
		if v := members[name]; says(v) {
			return fmt.Errorf("%s is %s, which is not supported", name, v)
		}
	}
	// Other ways to begin have changed the weights of the base.
	if v := bytes.TrimSpace(c.Init); !slices.Contains([]string{"", "null", "true", "false", `"gaussian"`, `"orthogonal"`, `"eva"`}, string(v)) {
		return fmt.Errorf("init_lora_weights is %s, which needs another base: save the adapter converted to plain LoRA", v)
	}
	return nil
}

// adapterFile is an adapter on disk, every name and shape of which has been checked.
type adapterFile struct {
	lora    LoRA
	modules map[string]bool // that are adapted
	weights *safetensors.File
}

// openAdapter opens the adapter in dir for a model of config c. The error names a tensor
// that is missing, not known, or not of the shape that the two configs promise.
func openAdapter(dir string, c Config) (*adapterFile, error) {
	p, err := readAdapterConfig(dir)
	if err != nil {
		return nil, err
	}
	w, err := safetensors.Open(filepath.Join(dir, AdapterWeightsFile))
	if err != nil {
		return nil, err
	}
	f := &adapterFile{lora: p.lora, modules: map[string]bool{}, weights: w}
	if err := f.check(c, p.targets); err != nil {
		w.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return f, nil
}

func (f *adapterFile) close() error { return f.weights.Close() }

func (f *adapterFile) selects(module string) bool { return f.modules[module] }

// check fills in the modules, and compares them with what is promised (nil: nothing), and
// every tensor with what the model has.
func (f *adapterFile) check(c Config, promised func(module string) bool) error {
	if err := f.findModules(c, promised); err != nil {
		return err
	}
	for _, p := range paramsOf(families[c.Family].weights(c).adapt(f.lora, f.selects)) {
		for _, t := range tensorsOf(p) {
			info, ok := f.weights.Info(t.Name)
			if !ok {
				return fmt.Errorf("tensor %q is missing", t.Name)
			}
			if !slices.Equal(info.Shape, t.Shape) {
				return fmt.Errorf("tensor %q has shape %v, the rank and the model promise %v", t.Name, info.Shape, t.Shape)
			}
		}
	}
	f.lora.Targets = targetsOf(c, f.selects)
	return nil
}

func (f *adapterFile) findModules(c Config, promised func(module string) bool) error {
	known := c.modules()
	for _, t := range f.weights.Tensors() {
		module, ok := moduleOfFactor(t.Name)
		if !ok {
			return fmt.Errorf("tensor %q is not a factor of LoRA", t.Name)
		}
		if !slices.Contains(known, module) {
			return fmt.Errorf("tensor %q adapts no linear layer of a %s model with %d layers", t.Name, c.Family, c.Layers)
		}
		f.modules[module] = true
	}
	if len(f.modules) == 0 {
		return fmt.Errorf("%s has no tensors", AdapterWeightsFile)
	}
	for _, m := range known {
		switch {
		case promised == nil || promised(m) == f.modules[m]:
		case f.modules[m]:
			return fmt.Errorf("%s is adapted, but target_modules in %s does not name it", m, AdapterConfigFile)
		default:
			return fmt.Errorf("tensor %q is missing: target_modules in %s names it", peftPrefix+m+suffixA, AdapterConfigFile)
		}
	}
	return nil
}

// moduleOfFactor returns the module that a tensor is a factor of.
func moduleOfFactor(name string) (module string, ok bool) {
	name, ok = strings.CutPrefix(name, peftPrefix)
	if !ok {
		return "", false
	}
	if module, ok = strings.CutSuffix(name, suffixA); ok {
		return module, true
	}
	return strings.CutSuffix(name, suffixB)
}

// targetsOf returns target_modules for what is adapted: short names if these say it all,
// and whole paths if not.
func targetsOf(c Config, selects func(module string) bool) []string {
	var short, paths []string
	for _, m := range c.modules() {
		if selects(m) {
			paths = append(paths, m)
			if name := m[strings.LastIndexByte(m, '.')+1:]; !slices.Contains(short, name) {
				short = append(short, name)
			}
		}
	}
	for _, m := range c.modules() {
		if (LoRA{Targets: short}).selects(m) != selects(m) {
			return paths
		}
	}
	return short
}

// read reads the factors.
func (f *adapterFile) read(as []*nn.Adapter) error {
	for _, p := range paramsOf(as) {
		if err := readParam(f.weights, p, p.W); err != nil {
			return err
		}
	}
	return nil
}

// CheckAdapter returns the options of the adapter in dir after checking that it fits a model
// of config c, without reading its weights. Errors as of LoadAdapter.
func CheckAdapter(dir string, c Config) (LoRA, error) {
	f, err := openAdapter(dir, c)
	if err != nil {
		return LoRA{}, err
	}
	return f.lora, f.close()
}

// LoadAdapter freezes the weights and adds the adapters in dir, in PEFT's layout; they can be
// trained further. Plan comes after. The error names the file and the member or tensor that is
// missing, not known, not supported, or does not fit the model.
func (m *Model) LoadAdapter(dir string) error {
	f, err := openAdapter(dir, m.Config)
	if err != nil {
		return err
	}
	defer f.close()
	if err := m.addAdapters(f.lora, f.selects); err != nil {
		return err
	}
	return f.read(m.adapters)
}

// SaveAdapter writes adapter_config.json and adapter_model.safetensors into dir, which must
// exist, each durably, as PEFT's save_pretrained does. The factors are float32, so that
// serving computes what training computed. Error: the model has no adapters.
func (m *Model) SaveAdapter(dir string) error {
	if m.adapters == nil {
		return fmt.Errorf("the model has no adapters")
	}
	b, err := json.MarshalIndent(m.adapterConfig(), "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteBytes(filepath.Join(dir, AdapterConfigFile), 0o644, append(b, '\n')); err != nil {
		return err
	}
	return safetensors.WriteFile(filepath.Join(dir, AdapterWeightsFile), tensorsWithData(m.trainable, func(*nn.Param) bool { return false }))
}

func (m *Model) adapterConfig() adapterConfig {
	l := m.lora
	adapted := map[string]bool{}
	for _, a := range m.adapters {
		for _, part := range a.B.Parts {
			module, _ := moduleOfFactor(part.Name)
			adapted[module] = true
		}
	}
	targets, _ := json.Marshal(targetsOf(m.Config, func(module string) bool { return adapted[module] }))
	c := adapterConfig{
		PEFTType: "LORA", TaskType: "CAUSAL_LM", Rank: l.Rank, Alpha: l.Alpha, Dropout: l.Dropout, Targets: targets,
		RSLoRA: l.RSLoRA, FanInFanOut: m.weights.linears()[0].Transposed, Bias: "none", Init: json.RawMessage("true"), InferenceMode: true,
	}
	if l.Base != "" {
		c.Base = &l.Base
	}
	return c
}

// Merge adds the adapter in dir to the weights, in float32, so that the model computes alone
// what it does with the adapter. The model must have its float32 masters: it is what Load
// returned. Errors: those of LoadAdapter; the weights are frozen.
func (m *Model) Merge(dir string) error {
	if m.frozen {
		return fmt.Errorf("the weights of the model are frozen: merge into a model that is loaded for training")
	}
	f, err := openAdapter(dir, m.Config)
	if err != nil {
		return err
	}
	defer f.close()
	w := families[m.Family].weights(m.Config)
	w.adapt(f.lora, f.selects)
	masters := m.weights.linears()
	for i, p := range w.linears() {
		if a := p.Adapter; a != nil {
			a.A.W, a.B.W = make([]float32, a.A.Len()), make([]float32, a.B.Len())
			if err := f.read([]*nn.Adapter{a}); err != nil {
				return err
			}
			a.MergeInto(masters[i])
		}
	}
	return nil
}
