using System.CommandLine;

namespace AspireStreaming.Cli.CommandLine;

/// <summary>A command whose help goes on with details and examples.</summary>
internal sealed class ExampleCommand(string name, string description) : Command(name, description)
{
    /// <summary>What the user should know about it.</summary>
    public required string Details { get; init; }

    /// <summary>Lines to show; a line that starts with <c>#</c> explains the next.</summary>
    public required string Examples { get; init; }
}
