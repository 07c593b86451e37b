/**
 * Ids of the commands behind the buttons.
 *
 * None of them decides anything: cleaned HTML may still carry a link that runs a command with one
 * click. `approve` and `deny` only open the question in the panel, which a person then answers.
 */
export const CommandIds = {
  open: 'jupyter-zt:open',
  refresh: 'jupyter-zt:refresh',
  login: 'jupyter-zt:login',
  next: 'jupyter-zt:review-next',
  previous: 'jupyter-zt:review-previous',
  approve: 'jupyter-zt:review-approve',
  deny: 'jupyter-zt:review-deny',
  back: 'jupyter-zt:review-back'
} as const;
