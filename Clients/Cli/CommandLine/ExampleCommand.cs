using System.CommandLine;

namespace AspireStreaming.Cli.CommandLine;

/// <summary>A command whose help ends with examples.</summary>
internal sealed class ExampleCommand(string name, string description) : Command(name, description)
{
    /// <summary>Lines to show; a line that starts with <c>#</c> explains the next.</summary>
    public required string Examples { get; init; }
}
