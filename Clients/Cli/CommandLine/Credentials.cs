using System.CommandLine;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.CommandLine;

/// <summary>The options that say who calls. Environment variables keep them out of the list of processes.</summary>
internal sealed class Credentials
{
    private const string TokenVariable = "ASPIRESTREAMING_TOKEN";
    private const string ApiKeyVariable = "ASPIRESTREAMING_API_KEY";

    private readonly Option<string?> _token = new("--token")
    {
        HelpName = "TOKEN",
        Description = $"Bearer token [env: {TokenVariable}]",
    };

    private readonly Option<string?> _apiKey = new("--api-key")
    {
        HelpName = "KEY",
        Description = $"API key [env: {ApiKeyVariable}]",
    };

    public void AddTo(Command command)
    {
        command.Options.Add(_token);
        command.Options.Add(_apiKey);
    }

    /// <summary>The client's options with the credentials set, and nothing else.</summary>
    public StreamingClientOptions Read(ParseResult parsed, CliHost host) => new()
    {
        AccessToken = Header(_token.Name, parsed.GetValue(_token) ?? host.Variable(TokenVariable)),
        ApiKey = Header(_apiKey.Name, parsed.GetValue(_apiKey) ?? host.Variable(ApiKeyVariable)),
    };

    private static string? Header(string option, string? value)
    {
        var trimmed = value?.Trim();
        return string.IsNullOrEmpty(trimmed) ? null
            : trimmed.Any(static character => character is <= ' ' or > '~')
                ? throw new CliException(ExitCode.Failure, $"{option}: only printable ASCII without spaces can be sent.")
                : trimmed;
    }
}
