using System.CommandLine;
using AspireStreaming.Client;

namespace AspireStreaming.Cli.CommandLine;

/// <summary>The argument that names a stream.</summary>
internal static class StreamArgument
{
    public static Argument<string> Create()
    {
        var argument = new Argument<string>("STREAM") { Description = "Name of the stream" };
        argument.Validators.Add(static result =>
        {
            if (result.Tokens is [var token] && !StreamName.IsValid(token.Value))
            {
                result.AddError($"'{token.Value}' cannot name a stream: {StreamName.Rule}.");
            }
        });
        return argument;
    }
}
