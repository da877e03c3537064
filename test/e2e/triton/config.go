package triton

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// configProto is a part of Triton's model_config.proto. A configuration with another
// field is refused, as one with a misspelt field is.
const configProto = `
name: "model_config.proto" package: "inference" syntax: "proto3"
enum_type { name: "DataType"
  value { name: "TYPE_INVALID" number: 0 } value { name: "TYPE_BOOL" number: 1 } value { name: "TYPE_UINT8" number: 2 }
  value { name: "TYPE_INT32" number: 8 } value { name: "TYPE_INT64" number: 9 } value { name: "TYPE_FP32" number: 11 }
  value { name: "TYPE_FP64" number: 12 } value { name: "TYPE_STRING" number: 13 } }
enum_type { name: "Kind"
  value { name: "KIND_AUTO" number: 0 } value { name: "KIND_GPU" number: 1 } value { name: "KIND_CPU" number: 2 } }
message_type { name: "Tensor"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "data_type" number: 2 type: TYPE_ENUM type_name: ".inference.DataType" label: LABEL_OPTIONAL }
  field { name: "dims" number: 3 type: TYPE_INT64 label: LABEL_REPEATED } }
message_type { name: "InstanceGroup"
  field { name: "kind" number: 1 type: TYPE_ENUM type_name: ".inference.Kind" label: LABEL_OPTIONAL }
  field { name: "count" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL } }
message_type { name: "ModelConfig"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "max_batch_size" number: 4 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "input" number: 5 type: TYPE_MESSAGE type_name: ".inference.Tensor" label: LABEL_REPEATED }
  field { name: "output" number: 6 type: TYPE_MESSAGE type_name: ".inference.Tensor" label: LABEL_REPEATED }
  field { name: "instance_group" number: 7 type: TYPE_MESSAGE type_name: ".inference.InstanceGroup" label: LABEL_REPEATED }
  field { name: "default_model_filename" number: 8 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "backend" number: 17 type: TYPE_STRING label: LABEL_OPTIONAL } }`

// configMessage describes the message of config.pbtxt.
var configMessage = func() protoreflect.MessageDescriptor {
	file := new(descriptorpb.FileDescriptorProto)
	if err := prototext.Unmarshal([]byte(configProto), file); err != nil {
		panic(err)
	}
	described, err := protodesc.NewFile(file, nil)
	if err != nil {
		panic(err)
	}
	return described.Messages().ByName("ModelConfig")
}()

// modelConfig is the configuration of a model.
type modelConfig struct {
	Name                 string   `json:"name"`
	Backend              string   `json:"backend"`
	MaxBatchSize         int      `json:"max_batch_size"`
	Input                []tensor `json:"input"`
	Output               []tensor `json:"output"`
	DefaultModelFilename string   `json:"default_model_filename"`
}

type tensor struct {
	Name     string `json:"name"`
	DataType string `json:"data_type"`
	Dims     dims   `json:"dims"`
}

// dims are the dimensions of a tensor. Protobuf writes 64-bit numbers as strings.
type dims []int

func (d *dims) UnmarshalJSON(text []byte) error {
	return json.Unmarshal([]byte(strings.ReplaceAll(string(text), `"`, "")), (*[]int)(d))
}

// readConfig reads a config.pbtxt. Shown is its path in errors.
func readConfig(file, shown string) (modelConfig, error) {
	var config modelConfig
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) { // Triton tries to complete an empty configuration
		return config, nil
	}
	if err != nil {
		return config, fmt.Errorf("failed to open text file for read %s: %w", shown, err)
	}
	message := dynamicpb.NewMessage(configMessage)
	if err := prototext.Unmarshal(text, message); err != nil {
		return config, fmt.Errorf("failed to read text proto from %s: %w", shown, err)
	}
	asJSON, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		return config, fmt.Errorf("failed to read text proto from %s: %w", shown, err)
	}
	return config, json.Unmarshal(asJSON, &config)
}

// complete sets the name if there is none, and returns an error if the configuration is
// not valid for a model in a folder of this name.
func (c *modelConfig) complete(folder string) error {
	if c.Name == "" {
		c.Name = folder
	}
	switch {
	case c.Backend == "":
		return fmt.Errorf("unexpected platform type '' for %s", c.Name)
	case c.MaxBatchSize < 0:
		return fmt.Errorf("'max_batch_size' must be non-negative value for %s", c.Name)
	case c.Name != folder:
		return fmt.Errorf("unexpected directory name '%s' for model '%s', directory name must equal model name", folder, c.Name)
	}
	return nil
}

// datatype returns the name of the type in the inference protocol.
func (t tensor) datatype() string {
	if t.DataType == "TYPE_STRING" {
		return "BYTES"
	}
	return strings.TrimPrefix(t.DataType, "TYPE_")
}

// shape returns the shape of requests: with -1 for the batch if the model has batches.
func (c *modelConfig) shape(t tensor) []int {
	if c.MaxBatchSize > 0 {
		return append([]int{-1}, t.Dims...)
	}
	return t.Dims
}
