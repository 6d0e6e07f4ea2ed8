// The body of a container's create, decoded as dockerd 20.10 decodes it.
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// decoded is what came out: every value that is not zero, by its path, and of what can be nil that it
// is not. Top is what stands beside HostConfig and belongs into it.
type decoded struct {
	Broken bool   `json:"broken"`
	Wrong  bool   `json:"wrong"`
	Own    []pair `json:"own"`
	Top    []pair `json:"top"`
}

// create has the shape of moby 20.10 runconfig/config_unix.go, ContainerConfigWrapper.
type create struct {
	*Config
	InnerHostConfig  *HostConfig `json:"HostConfig,omitempty"`
	NetworkingConfig *NetworkingConfig
	*HostConfig
}

// strSlice is moby's api/types/strslice.StrSlice.
type strSlice []string

func (e *strSlice) UnmarshalJSON(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	p := make([]string, 0, 1)
	if err := json.Unmarshal(b, &p); err != nil {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		p = append(p, s)
	}
	*e = p
	return nil
}

type Config struct {
	Image, User     string
	Tty             bool
	Env             []string
	Cmd, Entrypoint strSlice
	Volumes         map[string]struct{}
	Labels          map[string]string
	Healthcheck     *struct {
		Test     []string
		Interval int64
	}
}

type HostConfig struct {
	Binds             []string
	Privileged        bool
	OomKillDisable    *bool
	CapAdd, CapDrop   strSlice
	DeviceCgroupRules []string
	VolumesFrom       []string
	VolumeDriver      string
	Links             []string
	Sysctls           map[string]string
	StorageOpt        map[string]string
	GroupAdd          []string
	Annotations       map[string]string
	PidMode           string
	IpcMode           string
	UTSMode           string
	UsernsMode        string
	CgroupnsMode      string
	Cgroup            string
	CgroupParent      string
	Runtime           string
	NetworkMode       string
	SecurityOpt       []string
	Tmpfs             map[string]string
	MaskedPaths       []string
	ReadonlyPaths     []string
	Memory            int64
	ShmSize           int64
	RestartPolicy     struct {
		Name              string
		MaximumRetryCount int64
	}
	PortBindings   map[string][]struct{ HostIp, HostPort string }
	Devices        []struct{ PathOnHost, PathInContainer, CgroupPermissions string }
	DeviceRequests []struct {
		Driver    string
		Count     int64
		DeviceIDs []string
	}
	Mounts []struct {
		Type, Source, Target string
		ReadOnly             bool
		BindOptions          *struct {
			Propagation  string
			NonRecursive bool
		}
		VolumeOptions *struct {
			NoCopy       bool
			Labels       map[string]string
			DriverConfig *struct {
				Name    string
				Options map[string]string
			}
		}
		TmpfsOptions *struct{ SizeBytes int64 }
	}
}

type NetworkingConfig struct {
	EndpointsConfig map[string]*struct {
		NetworkID      string
		Links, Aliases []string
		DriverOpts     map[string]string
		IPAMConfig     *struct{ IPv4Address string }
	}
}

func readCreate(input []byte) decoded {
	var body create
	err := json.NewDecoder(bytes.NewReader(input)).Decode(&body)
	var syntax *json.SyntaxError
	out := decoded{Own: []pair{}, Top: []pair{}}
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		out.Broken = true
		return out
	}
	out.Wrong = err != nil
	own, top := map[string]string{}, map[string]string{}
	if body.Config != nil {
		flatten("", reflect.ValueOf(*body.Config), own)
	}
	flatten("HostConfig", reflect.ValueOf(body.InnerHostConfig), own)
	flatten("NetworkingConfig", reflect.ValueOf(body.NetworkingConfig), own)
	if body.HostConfig != nil {
		flatten("", reflect.ValueOf(*body.HostConfig), top)
	}
	out.Own, out.Top = sorted(own), sorted(top)
	return out
}

func flatten(path string, v reflect.Value, out map[string]string) {
	join := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			out[path] = "true"
		}
	case reflect.Int64:
		if v.Int() != 0 {
			out[path] = strconv.FormatInt(v.Int(), 10)
		}
	case reflect.String:
		if v.String() != "" {
			out[path] = v.String()
		}
	case reflect.Slice:
		if v.IsNil() {
			return
		}
		out[path] = "[]"
		for i := 0; i < v.Len(); i++ {
			element := join(strconv.Itoa(i))
			if v.Index(i).Kind() == reflect.Struct {
				out[element] = "{}"
			}
			flatten(element, v.Index(i), out)
		}
	case reflect.Map:
		if v.IsNil() {
			return
		}
		out[path] = "{}"
		for _, key := range v.MapKeys() {
			name := strings.NewReplacer("%", "%25", ".", "%2E").Replace(key.String())
			out[join(name)] = ""
			flatten(join(name), v.MapIndex(key), out)
		}
	case reflect.Ptr:
		if v.IsNil() {
			return
		}
		if v.Elem().Kind() == reflect.Struct {
			out[path] = "{}"
		}
		flatten(path, v.Elem(), out)
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			flatten(join(v.Type().Field(i).Name), v.Field(i), out)
		}
	}
}

func sorted(all map[string]string) []pair {
	list := []pair{}
	for path, value := range all {
		list = append(list, pair{hex.EncodeToString([]byte(path)), hex.EncodeToString([]byte(value))})
	}
	sort.Slice(list, func(a, b int) bool { return list[a][0] < list[b][0] })
	return list
}
