using System.CommandLine;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.CommandLine;

/// <summary>An option that names a service: the option, else its environment variable, else the port of the development host.</summary>
internal sealed class ServiceUrl
{
    private readonly string _variable;
    private readonly string _fallback;

    private ServiceUrl(string name, string variable, string fallback, string service)
    {
        _variable = variable;
        _fallback = fallback;
        Option = new Option<string?>(name)
        {
            HelpName = "URL",
            Description = $"Where the {service} is [env: {variable}; default: {fallback}]",
        };
    }

    public Option<string?> Option { get; }

    public static ServiceUrl Publisher() =>
        new("--publisher", "ASPIRESTREAM_PUBLISHER", "http://localhost:5101", "Publisher API");

    public static ServiceUrl StreamApi() =>
        new("--url", "ASPIRESTREAM_URL", "http://localhost:5102", "Stream API");

    public static ServiceUrl StreamApiGrpc() =>
        new("--grpc-url", "ASPIRESTREAM_GRPC_URL", "http://localhost:5112", "Stream API's gRPC endpoint");

    public HttpClient Connect(ParseResult parsed, CliHost host, StreamingClientOptions credentials) =>
        ServiceHttp.Create(Resolve(parsed, host), credentials);

    public Uri Resolve(ParseResult parsed, CliHost host)
    {
        var text = parsed.GetValue(Option);
        if (string.IsNullOrEmpty(text))
        {
            text = host.Variable(_variable);
        }

        if (string.IsNullOrEmpty(text))
        {
            text = _fallback;
        }

        return Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"
            ? url
            : throw new CliException(ExitCode.Failure, $"'{text}' is not an http or https URL ({Option.Name} or {_variable}).");
    }
}
