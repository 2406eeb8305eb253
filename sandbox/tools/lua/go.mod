// Argo CD's interpreter of Lua, to test the health script with. In a module of its own, so that a new version of it builds
// nothing else anew.
module github.com/altinn/database-operator/sandbox/tools/lua

go 1.26.0

tool github.com/yuin/gopher-lua/cmd/glua

require (
	github.com/chzyer/readline v0.0.0-20180603132655-2972be24d48e // indirect
	github.com/yuin/gopher-lua v1.1.1 // indirect
	golang.org/x/sys v0.0.0-20190204203706-41f3e6584952 // indirect
)
