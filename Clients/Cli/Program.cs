using AspireStreaming.Cli;
using AspireStreaming.Cli.CommandLine;

using var host = CliHost.ForProcess();
using var interruption = new Interruption();
return await CliApp.RunAsync(args, host, interruption.Token);
