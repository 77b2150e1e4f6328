namespace AspireStreaming.Cli.Tests.Fakes;

/// <summary>The process that a command believes to be in.</summary>
internal sealed record CliSurroundings
{
    public Stream Input { get; init; } = Stream.Null;

    public Stream? Output { get; init; }

    public bool OutputIsTerminal { get; init; }

    public bool ErrorIsTerminal { get; init; }

    public Dictionary<string, string> Variables { get; init; } = [];
}
